#include "model/nn/forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>

#include "model/data/error.h"
#include "model/nn/attention.h"
#include "model/nn/feed_forward.h"
#include "model/nn/latent_attention.h"
#include "model/nn/linear.h"
#include "model/nn/moe.h"
#include "model/nn/rms_norm.h"

// B batch, T new tokens, S all tokens seen, D hidden_size

namespace lathe {
namespace {

void check_ids(const Model& model, const at::Tensor& ids_BT) {
  check(ids_BT.dim() == 2 && ids_BT.scalar_type() == at::kLong, "[forward] token ids: got ", ids_BT.dim(),
        " dimensions of ", ids_BT.scalar_type(), ", expected two of int64");
  if (!ids_BT.is_cpu()) return;  // reading them back would stop the device
  const at::Tensor ids = ids_BT.contiguous();
  const std::int64_t* values = ids.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    check(values[i] >= 0 && values[i] < model.config.vocab_size, "[forward] token id ", values[i],
          " is outside the vocabulary of ", model.config.vocab_size, "; is the tokenizer another model's?");
  }
}

void check_room(const Cache& cache, const at::Tensor& ids_BT) {
  check(cache.length + ids_BT.size(1) <= cache.capacity, "[forward] the cache holds ", cache.capacity, " tokens, got ",
        cache.length, " and ", ids_BT.size(1), " more; make a larger cache");
}

void report(const ForwardOptions& options, std::string_view name, std::int64_t index, const at::Tensor& value) {
  if (options.probe != nullptr) (*options.probe)(name, index, value);
}

// `y` is fresh, so that it can take the sum unless a gradient or a probe still needs it.
at::Tensor add_residual(const at::Tensor& x, const at::Tensor& y, const ForwardOptions& options) {
  return at::GradMode::is_enabled() || options.probe != nullptr ? x + y : y.add_(x);
}

}  // namespace

BlockContext make_block_context(const Model& model, const PositionRange& positions, const ForwardOptions& options) {
  BlockContext context{
      .positions = positions,
      .rope = options.cache == nullptr ? std::make_shared<RopeTables>(model, positions) : options.cache->rope,
      .mask_TS = {},
      .options = &options};
  if (positions.count > 1 && positions.first > 0) {
    const auto type = at::TensorOptions().dtype(at::kBool).device(model.device());
    context.mask_TS = at::ones({positions.count, positions.first + positions.count}, type).tril_(positions.first);
  }
  return context;
}

at::Tensor attention_forward(const ModelConfig& config, const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                             const BlockContext& context) {
  if (std::holds_alternative<GroupedQueryAttention>(layer.attention)) {
    return grouped_query_attention(config, layer, index, x_BTD, context);
  }
  return latent_attention(config, layer, index, x_BTD, context);
}

at::Tensor feed_forward_forward(const Layer& layer, std::int64_t index, const at::Tensor& x_BTD,
                                const BlockContext& context) {
  if (const auto* dense = std::get_if<DenseFeedForward>(&layer.feed_forward)) return dense_feed_forward(*dense, x_BTD);
  return moe_feed_forward(layer, index, x_BTD, context);
}

at::Tensor block_forward(const Model& model, std::int64_t index, const at::Tensor& x_BTD, const BlockContext& context) {
  const ForwardOptions& options = options_of(context);
  const Layer& layer = *model.layers[static_cast<std::size_t>(index)];
  const double eps = model.config.rms_norm_eps;

  const at::Tensor attention_in = rms_norm(x_BTD, layer.attention_norm_D, eps);
  report(options, tap::kAttentionNorm, index, attention_in);
  const at::Tensor attention_out = attention_forward(model.config, layer, index, attention_in, context);
  report(options, tap::kAttentionOut, index, attention_out);
  const at::Tensor middle = add_residual(x_BTD, attention_out, options);

  const at::Tensor feed_forward_in = rms_norm(middle, layer.feed_forward_norm_D, eps);
  report(options, tap::kFeedForwardNorm, index, feed_forward_in);
  const at::Tensor feed_forward_out = feed_forward_forward(layer, index, feed_forward_in, context);
  report(options, tap::kFeedForwardOut, index, feed_forward_out);
  const at::Tensor out = add_residual(middle, feed_forward_out, options);
  report(options, tap::kBlockOut, index, out);
  return out;
}

at::Tensor hidden_states(const Model& model, const at::Tensor& ids_BT, const ForwardOptions& options) {
  check_ids(model, ids_BT);
  if (options.cache != nullptr) check_room(*options.cache, ids_BT);
  const std::int64_t first = options.cache == nullptr ? 0 : options.cache->length;
  const BlockContext context = make_block_context(model, {first, ids_BT.size(1)}, options);
  at::Tensor x_BTD = at::embedding(model.embed_VD, ids_BT);
  for (std::int64_t i = 0; i < model.config.num_layers(); ++i) x_BTD = block_forward(model, i, x_BTD, context);
  if (options.cache != nullptr) options.cache->length += ids_BT.size(1);
  return rms_norm(x_BTD, model.norm_D, model.config.rms_norm_eps);
}

at::Tensor output_logits(const Model& model, const at::Tensor& hidden_BTD) {
  return apply({.weight_OI = model.lm_head_VD, .bias_O = {}}, hidden_BTD);
}

at::Tensor forward(const Model& model, const at::Tensor& ids_BT, const ForwardOptions& options) {
  return output_logits(model, hidden_states(model, ids_BT, options));
}

}  // namespace lathe
