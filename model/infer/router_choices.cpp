#include "model/infer/router_choices.h"

#include <c10/core/InferenceMode.h>

#include "model/infer/token_ids.h"
#include "model/nn/forward.h"

namespace lathe {
namespace {

// N tokens, K chosen, E experts

RouterChoices picture(const RouterRecord& record) {
  const auto [weights_NK, order_NK] = record.weights_NK.to(at::kFloat).sort(/*dim=*/1, /*descending=*/true);
  const at::Tensor choice_NK = record.choice_NK.gather(1, order_NK).to(at::kCPU, at::kInt).contiguous();
  const at::Tensor host_weights_NK = weights_NK.to(at::kCPU).contiguous();
  RouterChoices choices;
  choices.layer = record.layer;
  choices.num_experts = record.logits_NE.size(1);
  choices.top_k = choice_NK.size(1);
  const auto count = static_cast<std::size_t>(choice_NK.numel());
  const auto* experts = choice_NK.const_data_ptr<std::int32_t>();
  const auto* weights = host_weights_NK.const_data_ptr<float>();
  choices.experts.assign(experts, experts + count);
  choices.weights.assign(weights, weights + count);
  return choices;
}

}  // namespace

std::vector<RouterChoices> router_choices(const Model& model, std::span<const std::int32_t> ids, const Job& job) {
  check_ids(model, ids, "the text to route");
  job.check();
  const c10::InferenceMode no_gradients;
  std::vector<RouterRecord> records;
  hidden_states(model, ids_tensor(model, ids), {.cache = nullptr, .probe = nullptr, .routers = &records});
  std::vector<RouterChoices> pictures;
  for (const RouterRecord& record : records) pictures.push_back(picture(record));
  return pictures;
}

}  // namespace lathe
