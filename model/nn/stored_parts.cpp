#include "model/nn/stored_parts.h"

#include <string_view>

// E experts, F moe_intermediate_size, D hidden_size

namespace lathe {
namespace {

constexpr std::string_view kGateUp = ".experts.gate_up_proj";      // [E,2F,D]
constexpr std::string_view kDown = ".experts.down_proj";           // [E,D,F]
constexpr std::string_view kDownBias = ".experts.down_proj_bias";  // [E,D]

std::string expert_prefix(const std::string& name, std::string_view suffix, std::int64_t expert) {
  return name.substr(0, name.size() - suffix.size()) + ".experts." + std::to_string(expert);
}

}  // namespace

std::vector<StoredPart> stored_parts(const std::string& name, at::IntArrayRef shape) {
  std::vector<StoredPart> parts;
  if (name.ends_with(kGateUp)) {
    const std::int64_t rows = shape[1] / 2;
    const std::int64_t values = rows * shape[2];
    for (std::int64_t e = 0; e < shape[0]; ++e) {
      const std::string prefix = expert_prefix(name, kGateUp, e);
      parts.push_back({prefix + ".gate_proj.weight", {rows, shape[2]}, 2 * e * values});
      parts.push_back({prefix + ".up_proj.weight", {rows, shape[2]}, (2 * e + 1) * values});
    }
  } else if (name.ends_with(kDown)) {
    for (std::int64_t e = 0; e < shape[0]; ++e) {
      const std::string prefix = expert_prefix(name, kDown, e);
      parts.push_back({prefix + ".down_proj.weight", {shape[1], shape[2]}, e * shape[1] * shape[2]});
    }
  } else if (name.ends_with(kDownBias)) {
    for (std::int64_t e = 0; e < shape[0]; ++e) {
      parts.push_back({expert_prefix(name, kDownBias, e) + ".down_proj.bias", {shape[1]}, e * shape[1]});
    }
  } else {
    parts.push_back({name, shape.vec(), 0});
  }
  return parts;
}

}  // namespace lathe
