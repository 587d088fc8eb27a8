#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lathe {

/// Which weights a training run changes. Everything else is frozen and costs no gradient or optimiser memory.
/// Converted: the MLA attention and MoE blocks. Routers, Experts, Attention: those parts of them alone. All:
/// everything.
enum class Trainable { Converted, Routers, Experts, Attention, All };

/// What products are computed in; weights that train are always kept in f32. Auto: bf16 where the device is faster at
/// it.
enum class TrainPrecision { Auto, F32, Bf16 };

struct TrainSettings {
  std::string text;  ///< file to learn from; empty: the text that ships with the program
  Trainable trainable = Trainable::Converted;
  std::int64_t steps = 60;
  std::int64_t seq_len = 256;   ///< tokens
  std::int64_t batch = 2;       ///< sequences per micro-batch
  std::int64_t accumulate = 1;  ///< micro-batches per step
  double lr = 3e-4;
  std::int64_t warmup_steps = 6;
  double min_lr_ratio = 0.1;  ///< of lr, at the end of the cosine
  double weight_decay = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double max_grad_norm = 1.0;       ///< 0: no clipping
  double balance_weight = 0.01;     ///< of the router balance loss (1 at perfect balance, per layer)
  double kl_weight = 0.0;           ///< of KL(original || model); needs the resident original
  double bias_update_speed = 1e-3;  ///< of sigmoid routers' correction bias, each step (DeepSeek-V3, arXiv:2408.15664)
  TrainPrecision precision = TrainPrecision::Auto;
  std::uint64_t seed = 0;
  std::int64_t eval_every = 0;  ///< steps between held-out losses; 0: before and after only
  std::int64_t save_every = 0;  ///< steps between saved states; 0: at the end only
  std::string run_folder;       ///< where states and curves are kept; empty: not kept

  bool operator==(const TrainSettings&) const = default;
};

/// The names that JSON and the command line use: "converted", "routers", "experts", "attention", "all"; "auto", "f32",
/// "bf16". The readers throw Error that lists them.
Trainable trainable_from_name(const std::string& name);
std::string trainable_name(Trainable trainable);
TrainPrecision train_precision_from_name(const std::string& name);
std::string train_precision_name(TrainPrecision precision);

/// One sentence for each value out of range; empty if all is well.
std::vector<std::string> train_problems(const TrainSettings& settings);

nlohmann::json train_settings_to_json(const TrainSettings& settings);
TrainSettings train_settings_from_json(const nlohmann::json& json);

}  // namespace lathe
