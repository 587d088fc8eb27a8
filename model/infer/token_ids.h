#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/data/snapshot.h"
#include "model/io/tokenizer.h"
#include "model/nn/layer.h"

namespace lathe {

/// `ids` as the input [1, T] of forward(), int64 on the model's device.
at::Tensor ids_tensor(const Model& model, std::span<const std::int32_t> ids);

/// Throws Error if there is no id, one is outside the model's vocabulary, or there are more than its context holds.
/// `what` names the text in the message ("the prompt").
void check_ids(const Model& model, std::span<const std::int32_t> ids, const char* what);

/// Each token as the user reads it.
std::vector<TokenText> token_texts(const Tokenizer& tokenizer, std::span<const std::int32_t> ids);

}  // namespace lathe
