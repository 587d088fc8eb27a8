#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "model/data/generate_settings.h"
#include "model/data/plan.h"
#include "model/data/snapshot.h"
#include "model/data/train_settings.h"

namespace lathe {

/// Chosen by the client that posts a job; events about the job carry it.
using JobId = std::int64_t;

struct OpenModel {
  std::string path;             ///< a folder, a file, "default" or "tiny"
  std::string device = "auto";  ///< auto | cpu | cuda | cuda:N
  std::string dtype = "auto";   ///< auto | f32 | bf16 | f16
};
struct Convert {
  ConversionPlan plan;
};
struct Undo {};
struct Redo {};
struct Train {
  TrainSettings settings;
  bool resume = false;  ///< go on from settings.run_folder
};
struct Generate {
  GenerateSettings settings;
  bool original = false;  ///< write with the resident original instead of the converted model
};
/// Teacher-forced loss on a text: see DESIGN of `lathe eval`: non-overlapping windows, each its own context.
struct Evaluate {
  std::string text;
  std::int64_t window = 512;
  std::int64_t windows = 64;
  bool against_original = false;  ///< also KL and top-1 agreement with the resident original
};
struct SaveModel {
  std::string folder;
};
/// Replaces all earlier watches. An empty list watches nothing.
struct SetWatches {
  std::vector<Watch> watches;
};
/// Handled at once, also while the job runs or waits.
struct CancelJob {
  JobId job = 0;
};

/// All that can be asked of the engine. Jobs run one after the other in the order posted.
struct Command {
  JobId job = 0;
  std::variant<OpenModel, Convert, Undo, Redo, Train, Generate, Evaluate, SaveModel, SetWatches, CancelJob> what;
};

/// A short name for lists and logs: "Open SmolLM2-135M", "Convert 9 MLA, 4 MoE", "Train 60 steps".
std::string title_of(const Command& command);

}  // namespace lathe
