#include "model/data/stock_classes.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/stock_fit.h"

namespace lathe {
namespace {

constexpr std::array<StockClass, 5> kClasses{
    {{"llama", "Llama (stock transformers)", "Everything that opens Llama opens it: transformers, vLLM, llama.cpp.",
      llama_misfit, llama_config},
     {"mixtral", "Mixtral (stock transformers)", "For models whose every layer has experts.", mixtral_misfit,
      mixtral_config},
     {"qwen2-moe", "Qwen2Moe (stock transformers)", "For models of which some or all layers have experts.",
      qwen2_moe_misfit, qwen2_moe_config},
     {"deepseek-v3", "DeepSeek-V3 (stock transformers)",
      "For models whose every layer is MLA; dense layers come first.", deepseek_v3_misfit, deepseek_v3_config},
     {"glm4-moe-lite", "Glm4MoeLite (stock transformers 5)",
      "For models whose every layer is MLA, with experts in any of them.", glm4_moe_lite_misfit,
      glm4_moe_lite_config}}};

}  // namespace

std::span<const StockClass> stock_classes() { return kClasses; }

const StockClass& stock_class(std::string_view name) {
  const auto* found = std::ranges::find(kClasses, name, &StockClass::name);
  if (found != kClasses.end()) return *found;
  std::string names = "hf";
  for (const StockClass& one : kClasses) names += text(", ", one.name);
  names += " or one of the GGUF forms";
  throw Error({.code = ErrorCode::Export,
               .what = "there is no such form to export to",
               .where = "--to",
               .got = text("\"", name, "\""),
               .expected = names,
               .hint = "lathe export MODEL --list says which fit the model"});
}

std::vector<ExportTarget> export_targets(const ModelConfig& config) {
  std::vector<ExportTarget> targets{
      {"hf", "Hugging Face folder",
       "Lathe's own form: takes every model; transformers loads it with trust_remote_code."}};
  std::string nearest = "hf, which takes every model";
  for (const StockClass& one : kClasses) {
    if (!one.misfit(config)) {
      nearest = text(one.name, ", which fits");
      break;
    }
  }
  for (const StockClass& one : kClasses) {
    ExportTarget target{std::string(one.name), std::string(one.title), std::string(one.about)};
    if (const auto misfit = one.misfit(config)) {
      target.refusal = ErrorParts{.code = ErrorCode::Export,
                                  .what = text("the model is not exactly a ", one.title),
                                  .where = misfit->where,
                                  .got = misfit->got,
                                  .expected = misfit->expected,
                                  .hint = text("export to ", nearest)};
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

bool needs_constant_channel(const ModelConfig& config) { return !config.layers.front().attention.latent_norm; }

}  // namespace lathe
