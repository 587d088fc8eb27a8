#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/config.h"
#include "model/data/export_target.h"

namespace lathe {

/// Why a model is no exact instance of a class: which part is different, and what the class has there.
struct Misfit {
  std::string where;  ///< "layer 3"
  std::string got;
  std::string expected;
};

/// A class of Hugging Face transformers that models can be exported as, so that nothing but transformers is needed to
/// load them.
struct StockClass {
  std::string_view name;   ///< as the command line has it
  std::string_view title;  ///< "Mixtral (stock transformers)"
  std::string_view about;
  std::optional<Misfit> (*misfit)(const ModelConfig& config) = nullptr;
  /// Its config.json. Only for models without misfit.
  nlohmann::json (*config)(const ModelConfig& config) = nullptr;
};

/// llama, mixtral, qwen2-moe, deepseek-v3, glm4-moe-lite. A class more is two functions here and one in
/// model/nn/stock_tensors.cpp.
std::span<const StockClass> stock_classes();

/// The class of that name. Throws Error that lists all.
const StockClass& stock_class(std::string_view name);

/// All forms that this model can leave in, Lathe's own ("hf") first, each with the reason if it does not fit exactly
/// and the nearest one that does.
std::vector<ExportTarget> export_targets(const ModelConfig& config);

/// Whether a DeepSeek class needs the constant channel: its kv_a_layernorm cannot be left out, so a latent without norm
/// gets one more value that makes the norm the identity (see stock_tensors.h).
bool needs_constant_channel(const ModelConfig& config);

/// Sizes that a stock MoE class has where the model has no shared expert: it gets one of zeros.
inline constexpr std::int64_t kZeroSharedExpertSize = 8;

}  // namespace lathe
