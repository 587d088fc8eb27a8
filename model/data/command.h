#pragma once

#include <cstdint>
#include <optional>
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
  std::string config = {};      ///< a file in place of the config.json beside the weights; empty: that one
  /// Draw the weights anew from this seed: the path is then a folder with config.json and a tokenizer.
  std::optional<std::uint64_t> init_seed = std::nullopt;
};
/// Looks at a model's headers without loading it; a ModelPreview answers. The newest takes the place of older ones.
struct PreviewModel {
  std::string path;         ///< as OpenModel's
  std::string config = {};  ///< as OpenModel's
};
struct Convert {
  ConversionPlan plan;
};
struct Undo {};
struct Redo {};
struct Train {
  TrainSettings settings;
  std::string teacher;       ///< a model to open for the KL loss; empty: the resident original
  std::int64_t stop_at = 0;  ///< save the state after this step and end; 0: go to settings.steps
  bool resume = false;       ///< go on from settings.run_folder
};
struct Generate {
  GenerateSettings settings;
  bool original = false;  ///< write with the resident original instead of the converted model
};
/// Teacher-forced loss on a text: its ids without special tokens in non-overlapping windows, each its own context.
struct Evaluate {
  std::string text;            ///< file; empty: the text that ships with the program
  std::int64_t window = 512;   ///< tokens
  std::int64_t windows = 64;   ///< at most
  std::string against;         ///< also KL and top-1 agreement: "original" is the resident one, else a model to open
  std::string per_token_file;  ///< one JSON object a line for each predicted token; empty: not written
};
struct SaveModel {
  std::string folder;
};
/// Writes the model in one of the forms of ModelInfo::export_targets.
struct ExportModel {
  std::string form = "hf";
  std::string path;            ///< a folder
  std::string dtype = "auto";  ///< auto (the model's) | f32 | bf16 | f16
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
  std::variant<OpenModel, PreviewModel, Convert, Undo, Redo, Train, Generate, Evaluate, SaveModel, ExportModel,
               SetWatches, CancelJob>
      what;
};

/// True for what is listed as a job: all but PreviewModel, CancelJob and SetWatches.
bool is_job(const Command& command);

/// A short name for lists and logs: "Open SmolLM2-135M", "Convert 9 MLA, 4 MoE", "Train 60 steps".
std::string title_of(const Command& command);

}  // namespace lathe
