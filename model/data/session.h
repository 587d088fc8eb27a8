#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/data/event.h"
#include "model/data/series.h"
#include "model/data/snapshot.h"

namespace lathe {

/// A job from when it is posted: it waits, then it runs, then it has ended.
struct JobView {
  JobId id = 0;
  std::string title;
  Progress progress;
  double seconds = 0.0;
  bool waiting = false;
  bool running = true;
  JobOutcome outcome = JobOutcome::Done;  ///< once it has ended
  std::string message;
  ErrorParts error{};  ///< the message part by part

  bool has_ended() const { return !waiting && !running; }
};

/// The share of choices of each expert of one MoE layer, step after step.
struct RouterHistory {
  std::vector<std::vector<float>> load;  ///< [step][expert]
  Series entropy, max_violation, dead, balance;
};

/// One training run's curves; every point is kept.
struct TrainCurves {
  JobId run = 0;           ///< the job that began them: another one is another run, however long
  std::int64_t steps = 0;  ///< planned
  Series loss, next_token, balance, kl, lr, grad_norm, tokens_per_second;
  std::vector<HeldOut> held_out;
  std::map<std::int64_t, RouterHistory> routers;  ///< by layer
  std::int64_t skipped = 0;
};

/// A training run that was posted and has measured nothing yet.
struct PostedRun {
  JobId job = 0;
  std::int64_t steps = 0;
};

/// What was written, token by token.
struct Writing {
  JobId job = 0;
  std::string prompt;
  std::vector<TokenChoice> tokens;
  std::string text;
  std::optional<Generated> result;
};

/// All that the views may draw. Only reduce() changes it.
struct Session {
  std::optional<ModelInfo> model;
  std::vector<JobView> jobs;  ///< in the order posted
  std::vector<LogLine> log;
  std::map<std::int64_t, LayerConfig> converting;  ///< layers done by the conversion that runs now
  std::vector<LayerReceipt> converting_receipts;
  std::optional<Receipt> receipt;  ///< of the conversion that the model as it is now comes from
  TrainCurves train;
  PostedRun posted_run;
  Writing writing;           ///< with the converted model
  Writing writing_original;  ///< with the resident original, for comparison
  std::optional<Evaluated> evaluated;
  std::optional<Saved> saved;
  std::optional<Exported> exported;
  MemoryUse memory;
  std::map<std::int64_t, std::shared_ptr<const RouterChoices>> router_choices;  ///< newest, by layer
  std::map<std::int64_t, std::shared_ptr<const LiveLatent>> live_latents;       ///< newest, by layer
  std::shared_ptr<const AttentionMap> attention;
  std::shared_ptr<const TensorPicture> tensor;
  std::shared_ptr<const ModelPreview> preview;  ///< of the path last asked about
  JobId previewing = 0;                         ///< the PreviewModel that is not answered yet; 0: none
  JobId drawing = 0;                            ///< the SetWatches whose pictures are not all there yet; 0: none

  /// The job that runs now, or null.
  const JobView* running_job() const;
  /// The job that runs now or else the next one that will, or null.
  const JobView* next_job() const;
};

/// The session after the event. Pure: no clock, no files, no threads.
void reduce(Session& session, const Event& event);

/// The session after a picture arrived.
void reduce(Session& session, const Snapshot& snapshot);

/// The client tells what it posted, so that the session shows it at once (a job that waits, the prompt of a
/// generation).
void reduce(Session& session, const Command& posted);

}  // namespace lathe
