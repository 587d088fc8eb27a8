#include "model/data/event_json.h"

#include <nlohmann/json.hpp>

namespace lathe {

nlohmann::json train_step_to_json(const TrainStep& step) {
  nlohmann::json routers = nlohmann::json::array();
  for (const RouterLoad& router : step.routers) {
    routers.push_back({{"layer", router.layer},
                       {"load", router.load},
                       {"entropy", router.entropy},
                       {"max_violation", router.max_violation},
                       {"dead", router.dead},
                       {"balance", router.balance}});
  }
  return {{"step", step.step},
          {"steps", step.steps},
          {"loss", step.loss},
          {"next_token", step.next_token},
          {"balance", step.balance},
          {"kl", step.kl},
          {"lr", step.lr},
          {"grad_norm", step.grad_norm},
          {"tokens_per_second", step.tokens_per_second},
          {"seconds", step.seconds},
          {"skipped", step.skipped},
          {"routers", std::move(routers)}};
}

nlohmann::json generated_to_json(const Generated& generated) {
  return {{"text", generated.text},
          {"ids", generated.ids},
          {"prompt_tokens", generated.prompt_tokens},
          {"prefill_seconds", generated.prefill_seconds},
          {"tokens_per_second", generated.tokens_per_second},
          {"finish", generated.finish},
          {"cache_bytes", generated.cache_bytes}};
}

nlohmann::json evaluated_to_json(const Evaluated& evaluated) {
  nlohmann::json json{{"nll", evaluated.nll}, {"ppl", evaluated.ppl}, {"tokens", evaluated.tokens}};
  if (evaluated.compared) {
    json["kl"] = evaluated.kl;
    json["top1_agreement"] = evaluated.top1_agreement;
  }
  return json;
}

nlohmann::json error_to_json(const ErrorParts& error) {
  return {{"code", error_code_name(error.code)}, {"what", error.what}, {"where", error.where}, {"got", error.got},
          {"expected", error.expected},          {"hint", error.hint}};
}

nlohmann::json exported_to_json(const Exported& exported) {
  nlohmann::json files = nlohmann::json::array();
  for (const ExportedFile& file : exported.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return {{"form", exported.form},
          {"path", exported.path},
          {"files", files},
          {"verified", {{"tensors", exported.tensors},
                        {"logit_difference", exported.logit_difference},
                        {"tokens", exported.tokens}}}};
}

nlohmann::json sizes_to_json(const Sizes& sizes) {
  return {{"params", sizes.params},
          {"active_params", sizes.active_params},
          {"kv_values_per_token", sizes.kv_values_per_token}};
}

}  // namespace lathe
