#include "model/nn/few_rows.h"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lathe {
namespace {

// A thread is not worth waking for less.
constexpr std::int64_t kBytesPerTask = std::int64_t{1} << 16;

// One weight row of a product with all its input rows.
using Kernel = void (*)(const FewRowsProduct& product, std::int64_t output);

#if defined(__x86_64__)

// How far ahead of its use a weight is asked for; a row ends too soon for the processor to notice the stream by itself.
constexpr std::int64_t kPrefetchBytes = 2048;

// Folds halves, quarters, pairs and neighbours. The masked forms, because g++ 12 takes the plain ones for
// uninitialised.
__attribute__((target("avx512f"))) inline float sum_of(__m512 lanes) {
  constexpr __mmask16 kAll = 0xFFFF;
  lanes = _mm512_add_ps(lanes, _mm512_maskz_shuffle_f32x4(kAll, lanes, lanes, 0x4E));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_shuffle_f32x4(kAll, lanes, lanes, 0xB1));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_permute_ps(kAll, lanes, 0x4E));
  lanes = _mm512_add_ps(lanes, _mm512_maskz_permute_ps(kAll, lanes, 0xB1));
  return _mm512_cvtss_f32(lanes);
}

// Four sums at once, so that an addition need not wait for the one before it.
__attribute__((target("avx512f"))) inline float dot(const float* x, const float* weight, std::int64_t size) {
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 64 <= size; i += 64) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float* at = weight + i + 16 * j;
      _mm_prefetch(reinterpret_cast<const char*>(at) + kPrefetchBytes, _MM_HINT_T0);
      sums[j] = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + 16 * j), _mm512_loadu_ps(at), sums[j]);
    }
  }
  for (; i < size; i += 16) {
    const auto rest = static_cast<__mmask16>(size - i >= 16 ? 0xFFFF : (1U << (size - i)) - 1);
    sums[0] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, x + i), _mm512_maskz_loadu_ps(rest, weight + i), sums[0]);
  }
  return sum_of(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

__attribute__((target("avx512f,avx512bw,avx512bf16"))) inline __m512 add_products(__m512 sum, __m512i x, __m512i w) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
}

__attribute__((target("avx512f,avx512bw,avx512bf16"))) inline float dot(const c10::BFloat16* x,
                                                                        const c10::BFloat16* weight,
                                                                        std::int64_t size) {
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  std::int64_t i = 0;
  for (; i + 128 <= size; i += 128) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const c10::BFloat16* at = weight + i + 32 * j;
      _mm_prefetch(reinterpret_cast<const char*>(at) + kPrefetchBytes, _MM_HINT_T0);
      sums[j] = add_products(sums[j], _mm512_loadu_si512(x + i + 32 * j), _mm512_loadu_si512(at));
    }
  }
  for (; i < size; i += 32) {
    const auto rest = static_cast<__mmask32>(size - i >= 32 ? 0xFFFFFFFF : (1U << (size - i)) - 1);
    sums[0] = add_products(sums[0], _mm512_maskz_loadu_epi16(rest, x + i), _mm512_maskz_loadu_epi16(rest, weight + i));
  }
  return sum_of(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

template <typename Value>
void store(const FewRowsProduct& product, std::int64_t row, std::int64_t output, float sum) {
  if (product.bias_O != nullptr) sum += static_cast<float>(static_cast<const Value*>(product.bias_O)[output]);
  static_cast<Value*>(product.y_MO)[row * product.outputs + output] = static_cast<Value>(sum);
}

__attribute__((target("avx512f"))) void f32_kernel(const FewRowsProduct& product, std::int64_t output) {
  const auto* x = static_cast<const float*>(product.x_MI);
  const auto* weight = static_cast<const float*>(product.weight_OI) + output * product.inputs;
  for (std::int64_t m = 0; m < product.rows; ++m) {
    store<float>(product, m, output, dot(x + m * product.inputs, weight, product.inputs));
  }
}

__attribute__((target("avx512f,avx512bw,avx512bf16"))) void bf16_kernel(const FewRowsProduct& product,
                                                                        std::int64_t output) {
  const auto* x = static_cast<const c10::BFloat16*>(product.x_MI);
  const auto* weight = static_cast<const c10::BFloat16*>(product.weight_OI) + output * product.inputs;
  for (std::int64_t m = 0; m < product.rows; ++m) {
    store<c10::BFloat16>(product, m, output, dot(x + m * product.inputs, weight, product.inputs));
  }
}

Kernel kernel_for(c10::ScalarType dtype) {
  static const bool has_f32 = __builtin_cpu_supports("avx512f") != 0;
  static const bool has_bf16 = has_f32 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16");
  if (dtype == c10::kFloat && has_f32) return f32_kernel;
  if (dtype == c10::kBFloat16 && has_bf16) return bf16_kernel;
  return nullptr;
}

#else

Kernel kernel_for(c10::ScalarType) { return nullptr; }

#endif

}  // namespace

bool has_few_rows_kernel(c10::ScalarType dtype) { return kernel_for(dtype) != nullptr; }

void run_few_rows(std::span<const FewRowsProduct> products, c10::ScalarType dtype) {
  const Kernel kernel = kernel_for(dtype);
  std::int64_t outputs = 0;
  std::int64_t widest = 1;
  for (const FewRowsProduct& product : products) {
    outputs += product.outputs;
    widest = std::max(widest, product.inputs);
  }
  const std::int64_t row_bytes = widest * static_cast<std::int64_t>(c10::elementSize(dtype));
  at::parallel_for(0, outputs, kBytesPerTask / row_bytes + 1, [&](std::int64_t begin, std::int64_t end) {
    for (const FewRowsProduct& product : products) {  // the products' rows are numbered through
      const std::int64_t last = std::min(end, product.outputs);
      for (std::int64_t output = std::max<std::int64_t>(begin, 0); output < last; ++output) kernel(product, output);
      begin -= product.outputs;
      end -= product.outputs;
    }
  });
}

}  // namespace lathe
