#pragma once

#include "model/io/checkpoint.h"

namespace lathe {

/// Puts the tensors of every family under the names that Lathe's network has, which are those of Hugging Face's
/// Qwen2Moe and DeepseekV3 with one shared expert: Mixtral's block_sparse_moe and w1, w2, w3; DeepSeek's
/// shared_experts; the text model's prefix of multi-modal files. A TensorEntry keeps the name that the file has. Marks
/// the rows of rotary pairs that DeepSeek's files store side by side, and leaves out the layers of multi-token
/// prediction, with a warning. Throws Error if two tensors get one name.
void use_canonical_names(CheckpointParts& parts);

}  // namespace lathe
