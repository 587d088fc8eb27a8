#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "model/data/stock_classes.h"

namespace lathe {

// The parts of stock_classes.cpp: for each class why a model is none of it, and the config.json of one that is.

std::optional<Misfit> llama_misfit(const ModelConfig& config);
std::optional<Misfit> mixtral_misfit(const ModelConfig& config);
std::optional<Misfit> qwen2_moe_misfit(const ModelConfig& config);
std::optional<Misfit> deepseek_v3_misfit(const ModelConfig& config);
std::optional<Misfit> glm4_moe_lite_misfit(const ModelConfig& config);

nlohmann::json llama_config(const ModelConfig& config);
nlohmann::json mixtral_config(const ModelConfig& config);
nlohmann::json qwen2_moe_config(const ModelConfig& config);
nlohmann::json deepseek_v3_config(const ModelConfig& config);
nlohmann::json glm4_moe_lite_config(const ModelConfig& config);

bool is_moe(const LayerConfig& layer);

/// The feed-forward of the first layer with experts, or null.
const FeedForwardConfig* first_moe(const ModelConfig& config);

}  // namespace lathe
