#include "model/nn/one_query.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// B batch, H query heads, G key-value heads, S keys, K width of q and k, W width of v

namespace lathe {
namespace {

constexpr std::int64_t kLanes = 16;

/// One head of one sequence: q [K], k [S,K] and v [S,W] with gaps between rows, out [W], scores [S] to work in.
template <typename Value>
struct Head {
  const Value* q;
  const Value* k;
  const Value* v;
  Value* out;
  std::int64_t k_stride, v_stride, keys, k_width, v_width;
  float scale;
  float* scores;
};

#if defined(__x86_64__)
#define LATHE_AVX512 __attribute__((target("avx512f")))

LATHE_AVX512 inline __m512 load(const float* values) { return _mm512_loadu_ps(values); }

LATHE_AVX512 inline __m512 load(const c10::BFloat16* values) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xFFFF, _mm512_maskz_cvtepu16_epi32(0xFFFF, bits), 16));
}

// The masked forms, because g++ 12 takes the plain ones for uninitialised.
LATHE_AVX512 inline float sum_of(__m512 lanes) {
  constexpr __mmask16 kAll = 0xFFFF;
  lanes = _mm512_add_ps(lanes, _mm512_maskz_shuffle_f32x4(kAll, lanes, lanes, 0x4E));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_shuffle_f32x4(kAll, lanes, lanes, 0xB1));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_permute_ps(kAll, lanes, 0x4E));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_permute_ps(kAll, lanes, 0xB1));
  return _mm512_cvtss_f32(lanes);
}

// 2^whole e^rest with |rest| <= ln 2 / 2, where the Taylor series to the seventh power is exact to fp32.
LATHE_AVX512 inline __m512 exp_of(__m512 x) {
  const __m512 exponent = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504F));
  const __m512 whole = _mm512_maskz_roundscale_ps(0xFFFF, exponent, 0);
  const __m512 rest = _mm512_mul_ps(_mm512_sub_ps(exponent, whole), _mm512_set1_ps(0.693147181F));
  __m512 power = _mm512_set1_ps(1.0F / 5040);
  for (const float term : {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F}) {
    power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(term));
  }
  return _mm512_maskz_scalef_ps(0xFFFF, power, whole);
}

template <typename Value>
LATHE_AVX512 float score(const Head<Value>& head) {
  float top = -std::numeric_limits<float>::infinity();
  for (std::int64_t s = 0; s < head.keys; ++s) {
    const Value* key = head.k + s * head.k_stride;
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < head.k_width; i += kLanes) {
      sum = _mm512_fmadd_ps(load(head.q + i), load(key + i), sum);
    }
    head.scores[s] = sum_of(sum) * head.scale;
    top = std::max(top, head.scores[s]);
  }
  return top;
}

/// Turns scores into exp(score - top) and returns their sum.
LATHE_AVX512 float exponentiate(float* scores, std::int64_t keys, float top) {
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t s = 0; s < keys; s += kLanes) {
    const auto mask = static_cast<__mmask16>(keys - s >= kLanes ? 0xFFFF : (1 << (keys - s)) - 1);
    const __m512 weight = exp_of(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, scores + s), _mm512_set1_ps(top)));
    _mm512_mask_storeu_ps(scores + s, mask, weight);
    sum = _mm512_mask_add_ps(sum, mask, sum, weight);
  }
  return sum_of(sum);
}

template <typename Value>
LATHE_AVX512 void add_values(const Head<Value>& head, float factor) {
  constexpr std::int64_t kVectors = 4;  // columns of v that stay in registers while the keys pass
  for (std::int64_t first = 0; first < head.v_width; first += kVectors * kLanes) {
    const std::int64_t vectors = std::min(kVectors, (head.v_width - first) / kLanes);
    __m512 sums[kVectors] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    for (std::int64_t s = 0; s < head.keys; ++s) {
      const __m512 weight = _mm512_set1_ps(head.scores[s]);
      const Value* value = head.v + s * head.v_stride + first;
      for (std::int64_t i = 0; i < vectors; ++i) sums[i] = _mm512_fmadd_ps(weight, load(value + i * kLanes), sums[i]);
    }
    for (std::int64_t i = 0; i < vectors; ++i) {
      alignas(64) float lanes[kLanes];
      _mm512_store_ps(lanes, _mm512_mul_ps(sums[i], _mm512_set1_ps(factor)));
      std::copy_n(lanes, kLanes, head.out + first + i * kLanes);
    }
  }
}

template <typename Value>
void attend_head(const Head<Value>& head) {
  const float top = score(head);
  const float sum = exponentiate(head.scores, head.keys, top);
  add_values(head, 1.0F / sum);
}

bool has_kernel() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0;
  return has;
}

#else

template <typename Value>
void attend_head(const Head<Value>&) {}

bool has_kernel() { return false; }

#endif

template <typename Value>
void attend_heads(const AttentionInputs& inputs, const at::Tensor& out_BH1W) {
  const at::Tensor &q = inputs.q_BHTK, &k = inputs.k_BGSK, &v = inputs.v_BGSW;
  const std::int64_t heads = q.size(1), per_key_head = heads / k.size(1), keys = k.size(2);
  // Below this many products the other threads cost more than they take over.
  const std::int64_t grain = 1 + 16384 / (keys * k.size(3));
  at::parallel_for(0, q.size(0) * heads, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scores(static_cast<std::size_t>(keys));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / heads, h = i % heads, g = h / per_key_head;
      attend_head(Head<Value>{.q = q.const_data_ptr<Value>() + b * q.stride(0) + h * q.stride(1),
                              .k = k.const_data_ptr<Value>() + b * k.stride(0) + g * k.stride(1),
                              .v = v.const_data_ptr<Value>() + b * v.stride(0) + g * v.stride(1),
                              .out = out_BH1W.mutable_data_ptr<Value>() + i * v.size(3),
                              .k_stride = k.stride(2),
                              .v_stride = v.stride(2),
                              .keys = keys,
                              .k_width = k.size(3),
                              .v_width = v.size(3),
                              .scale = static_cast<float>(inputs.scale),
                              .scores = scores.data()});
    }
  });
}

bool is_readable(const at::Tensor& x, at::ScalarType dtype) {
  return x.is_cpu() && x.scalar_type() == dtype && x.stride(3) == 1 && x.size(3) % kLanes == 0;
}

}  // namespace

bool is_one_query(const AttentionInputs& inputs) {
  const at::ScalarType dtype = inputs.q_BHTK.scalar_type();
  return inputs.q_BHTK.size(2) == 1 && inputs.k_BGSK.size(2) > 0 && (dtype == at::kFloat || dtype == at::kBFloat16) &&
         is_readable(inputs.q_BHTK, dtype) && is_readable(inputs.k_BGSK, dtype) && is_readable(inputs.v_BGSW, dtype) &&
         !at::GradMode::is_enabled() && has_kernel();
}

at::Tensor attend_one_query(const AttentionInputs& inputs) {
  const at::Tensor &q = inputs.q_BHTK, &v = inputs.v_BGSW;
  at::Tensor out_BH1W = at::empty({q.size(0), q.size(1), 1, v.size(3)}, q.options());
  if (q.scalar_type() == at::kFloat) {
    attend_heads<float>(inputs, out_BH1W);
  } else {
    attend_heads<c10::BFloat16>(inputs, out_BH1W);
  }
  return out_BH1W;
}

}  // namespace lathe
