#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/data/command.h"
#include "model/data/config.h"
#include "model/data/error.h"
#include "model/data/export_target.h"
#include "model/data/job.h"
#include "model/data/model_preview.h"
#include "model/data/receipt.h"

namespace lathe {

/// What there is to know of the model that is open, after each change of it.
struct ModelInfo {
  std::string name;
  std::string path;
  std::string device;  ///< "cpu", "cuda:0 NVIDIA H200"
  std::string dtype;   ///< "f32", "bf16", "f16"
  std::string format;  ///< "Hugging Face folder", "GGUF v3 Q4_1"
  ModelConfig config;
  std::string sha256;  ///< of all tensors
  std::int64_t weight_bytes = 0;
  std::int64_t bytes_per_value = 4;  ///< of the cache's dtype
  bool has_chat_template = false;
  bool differs_from_original = false;
  std::vector<std::string> undo;  ///< what Undo would take back, last first
  std::vector<std::string> redo;
  bool saved = true;
  std::vector<ExportTarget> export_targets{};  ///< all forms, each with why not if the model does not fit
  std::shared_ptr<const std::vector<TensorInfo>> tensors{};           ///< as they lie in memory
  std::shared_ptr<const std::vector<TensorInfo>> original_tensors{};  ///< those of the resident original
};

struct JobStarted {
  std::string title;
};
struct JobProgress {
  Progress progress;
  double seconds = 0.0;  ///< since the job started
};
enum class JobOutcome { Done, Cancelled, Failed };
struct JobEnded {
  JobOutcome outcome = JobOutcome::Done;
  std::string message;  ///< why it failed; empty else
  double seconds = 0.0;
  ErrorParts error{};  ///< the same part by part
};
/// After opening, converting, undo, redo, training.
struct ModelChanged {
  ModelInfo info;
  std::optional<Receipt> receipt = std::nullopt;  ///< of the conversion that this state of the model comes from
};
/// While a conversion runs: the layer is done, and `config` is the model so far.
struct LayerConverted {
  LayerReceipt receipt;
  LayerConfig config;
};
struct Converted {
  Receipt receipt;
};
/// How one MoE layer's tokens were spread in one training step.
struct RouterLoad {
  std::int64_t layer = 0;
  std::vector<float> load;     ///< share of all choices that went to each expert; sums to 1
  float entropy = 0.0F;        ///< of `load`, nats
  float max_violation = 0.0F;  ///< MaxVio: max load / mean load - 1 (DeepSeek, arXiv:2408.15664)
  std::int64_t dead = 0;       ///< experts that no token chose
  float balance = 0.0F;        ///< the layer's balance loss, 1 at perfect balance
};
struct TrainStep {
  std::int64_t step = 0;  ///< from 1
  std::int64_t steps = 0;
  float loss = 0.0F;  ///< what is minimised: the weighted sum of the parts
  float next_token = 0.0F;
  float balance = 0.0F;  ///< mean over MoE layers, 1 at perfect balance
  float kl = 0.0F;
  float lr = 0.0F;
  float grad_norm = 0.0F;  ///< before clipping
  double tokens_per_second = 0.0;
  double seconds = 0.0;
  bool skipped = false;  ///< not finite: weights left as they were
  std::vector<RouterLoad> routers;
};
/// A held-out loss measured while training. `original` and `converted` are the same windows before any step.
struct HeldOut {
  std::int64_t step = 0;
  double nll = 0.0;
  double original = 0.0;
};
struct TokenChoice {
  TokenText token;
  float probability = 0.0F;
  std::vector<std::pair<TokenText, float>> alternatives;  ///< most probable first, the chosen one included
};
struct TokenWritten {
  TokenChoice choice;
  std::string text;  ///< what becomes visible with this token: complete UTF-8, may be empty
};
struct Generated {
  std::string text;
  std::vector<std::int64_t> ids;
  std::int64_t prompt_tokens = 0;
  double prefill_seconds = 0.0;
  double tokens_per_second = 0.0;
  std::string finish;  ///< eos | stop | length | context | cancelled
  std::int64_t cache_bytes = 0;
};
struct Evaluated {
  double nll = 0.0;
  double ppl = 0.0;
  std::int64_t tokens = 0;
  bool compared = false;
  double kl = 0.0;
  double top1_agreement = 0.0;
};
struct Saved {
  std::string folder;
  std::int64_t bytes = 0;
};
/// A file that an export wrote.
struct ExportedFile {
  std::string name;
  std::int64_t bytes = 0;
  std::string sha256;
};
/// What was written was read back from the disk and compared before it took the place of what was there.
struct Exported {
  std::string form;
  std::string path;
  std::vector<ExportedFile> files;
  std::int64_t tensors = 0;       ///< compared
  double logit_difference = 0.0;  ///< the largest over `tokens` tokens, between the model and what was read back
  std::int64_t tokens = 0;
};
enum class LogLevel { Info, Warning, Error };
struct LogLine {
  LogLevel level = LogLevel::Info;
  std::string text;
};
/// Sampled about once a second.
struct MemoryUse {
  std::int64_t host_bytes = 0;
  std::int64_t device_bytes = 0;  ///< 0 on the CPU
};

/// All that can happen. Ordered and lossless; `job` is 0 for what belongs to none.
struct Event {
  JobId job = 0;
  std::variant<JobStarted, JobProgress, JobEnded, ModelChanged, LayerConverted, Converted, TrainStep, HeldOut,
               TokenWritten, Generated, Evaluated, Saved, Exported, LogLine, MemoryUse>
      what;
};

}  // namespace lathe
