#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/data/event.h"
#include "model/data/job.h"
#include "model/data/train_settings.h"
#include "model/nn/layer.h"
#include "model/nn/probe.h"
#include "model/train/adamw.h"
#include "model/train/batch_loss.h"
#include "model/train/text_batches.h"
#include "model/train/trained_model.h"

namespace lathe {

/// What a run starts from. It trains on the device of `model`.
struct TrainInput {
  ModelPtr model;
  ModelPtr teacher;      ///< needed if settings.kl_weight > 0: the resident original
  at::Tensor fit_ids_N;  ///< token ids to learn from; see tokenize_text and split_text
  TrainSettings settings;
};

/// A training run: it changes private copies, so that the model it was given stays as it is.
/// No step draws random numbers: the data of step n is a pure function of the settings, and a restored run continues
/// bit for bit on the CPU (same build, same number of threads).
class Trainer {
 public:
  /// Throws Error if the settings, the text or the model make training impossible.
  explicit Trainer(const TrainInput& input);

  /// Runs one step of `accumulate` micro-batches; the device is waited for once, at its end. `probe` sees the forward.
  /// A step whose loss or gradient is not finite changes nothing and counts as skipped.
  /// Throws Error after five such steps in a row; Cancelled, and the run is then as before the step.
  TrainStep step(const Job& job = {}, const Probe* probe = nullptr);

  /// The model as trained so far, in the dtype it was given; layers that do not train are shared with it.
  Model result() const { return finished_model(*input_.model, trained_); }

  /// The network that trains, in the run's dtype, for looking at: the next step changes it in place.
  const Model& current() const { return trained_.model; }

  std::int64_t steps_done() const { return steps_done_; }
  bool is_done() const { return steps_done_ >= input_.settings.steps; }
  std::int64_t skipped_steps() const { return skipped_; }
  at::ScalarType compute_dtype() const { return dtype_; }

  /// Values that train.
  std::int64_t num_trained() const;

  /// Writes weights that train, moments, position and what they belong to, atomically, as one safetensors file.
  /// Throws Error, Cancelled.
  void save_state(const std::filesystem::path& file, const Job& job = {});

  /// Continues from a saved state. Returns a sentence for each thing that differs from the run that saved it, so that
  /// the two parts are not one run. Throws Error if the state belongs to another model or other weights train; the run
  /// is then as before.
  std::vector<std::string> restore_state(const std::filesystem::path& file);

 private:
  BatchLoss run_batches(const Job& job, const Probe* probe);
  void collect_gradients();
  void drop_gradients();
  void update_biases(const BatchLoss& sums, const at::Tensor& skip);
  TrainStep read_back(const BatchLoss& sums, const at::Tensor& norm) const;
  void count_skipped(bool skipped);
  std::string fingerprint();

  TrainInput input_;
  at::ScalarType dtype_;
  LayerCast cast_;
  TrainedModel trained_;
  std::optional<Model> teacher_;
  std::int64_t shared_layers_ = 0;  // first layers that model and teacher have in common
  TextBatches batches_;
  AdamW optimizer_;
  std::vector<at::Tensor> gradients_;  // f32, one for each trained weight; sums over micro-batches
  std::int64_t steps_done_ = 0;
  std::int64_t skipped_ = 0;
  std::int64_t skipped_in_row_ = 0;
  std::string fingerprint_;  // sha256 of the model and the ids, made when first needed
};

}  // namespace lathe
