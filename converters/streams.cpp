#include "converters/streams.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty_like.h>

#include "converters/windows.h"

namespace lathe {

Streams::Streams(const Model& original, const at::Tensor& ids_BT)
    : original_(original),
      context_(make_block_context(original, {0, ids_BT.size(1)}, {})),
      original_BTD_(at::embedding(original.embed_VD, ids_BT.to(original.device()))),
      converted_BTD_(original_BTD_) {
  context_.options = nullptr;  // the defaults; those of the line above do not outlive it
}

at::Tensor Streams::through(const Model& model, std::int64_t index, const at::Tensor& x_BTD, const Tick& tick) const {
  at::Tensor out_BTD = at::empty_like(x_BTD);
  for_windows(x_BTD, [&](std::int64_t first, std::int64_t count) {
    out_BTD.narrow(0, first, count).copy_(block_forward(model, index, x_BTD.narrow(0, first, count), context_));
    tick(count);
  });
  return out_BTD;
}

void Streams::advance(const Model& converted, std::int64_t index, const Tick& tick) {
  const auto layer = static_cast<std::size_t>(index);
  const at::Tensor before_BTD = original_BTD_;
  original_BTD_ = through(original_, index, before_BTD, tick);
  diverged_ = diverged_ || converted.layers[layer] != original_.layers[layer];
  converted_BTD_ = diverged_ ? through(converted, index, converted_BTD_, tick) : original_BTD_;
}

}  // namespace lathe
