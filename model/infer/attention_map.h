#pragma once

#include <cstdint>
#include <span>

#include "model/data/job.h"
#include "model/data/snapshot.h"
#include "model/nn/layer.h"

namespace lathe {

/// Which head to look at, and how large its picture may be.
struct AttentionView {
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::int64_t max_side = 512;  ///< cells; a longer prompt is pooled by maximum, which never loses a peak
};

/// The softmax weights of one head over `ids`, GQA and MLA alike, in fp32, pooled on the model's device. Runs the
/// layers below; of the layer itself it computes this head alone, some rows at a time: memory grows with T, not with H
/// T^2. `pool` is the smallest whole number that makes the side fit. `tokens` is left empty: token_texts() fills it.
/// Throws Error if there is no such layer or head, or no token; Cancelled.
AttentionMap attention_map(const Model& model, std::span<const std::int32_t> ids, const AttentionView& view,
                           const Job& job = {});

}  // namespace lathe
