#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/data/config.h"
#include "model/nn/forward.h"

namespace lathe {

// N tokens, D hidden_size, V vocabulary, E experts, K chosen

/// Hidden states and what they are compared to. The teacher's two tensors are undefined where there is none.
struct HeadLossInput {
  at::Tensor hidden_ND;
  at::Tensor head_VD;
  at::Tensor targets_N;  ///< int64
  at::Tensor teacher_hidden_ND;
  at::Tensor teacher_head_VD;
  double kl_weight = 0.0;
};

/// Scalars, means over the N tokens, f32. Only `weighted` carries a gradient; the parts are for showing.
struct HeadLoss {
  at::Tensor weighted;    ///< next_token + kl_weight * kl
  at::Tensor next_token;  ///< cross-entropy, nats
  at::Tensor kl;          ///< KL(teacher || model) at temperature 1, nats; 0 without a teacher
};

/// Logits of a vocabulary are large: they are made, used for loss and gradient at once, and dropped again, for a few
/// tokens at a time. Differentiable once with respect to hidden_ND and head_VD.
HeadLoss head_loss(const HeadLossInput& input);

/// Switch Transformer's load balancing loss, E * sum_e f_e P_e, where f_e is the share of all choices that went to
/// expert e and P_e its mean probability: 1 when both are uniform, E / K when K experts take all. Sigmoid scores are
/// normalised to sum to one first. `counts_E` is expert_counts(record).  Source: arXiv:2101.03961, eq. 4; for K > 1 as
/// in Megatron.
at::Tensor balance_loss(const RouterRecord& record, const at::Tensor& counts_E, RouterKind router);

/// How many of the choices went to each expert: [E] f32 on the record's device, without waiting for it.
at::Tensor expert_counts(const RouterRecord& record);

}  // namespace lathe
