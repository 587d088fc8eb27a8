#include "model/nn/rms_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rms_norm.h>

#include <cmath>

#include "model/nn/linear.h"

namespace lathe {
namespace {

constexpr std::int64_t kValuesPerTask = std::int64_t{1} << 15;

template <typename Value>
void normalise_row(const Value* x, const Value* weight, Value* y, std::int64_t size, float eps) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < size; ++i) squares += static_cast<float>(x[i]) * static_cast<float>(x[i]);
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(size) + eps);
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) {
    const auto rounded = static_cast<Value>(static_cast<float>(x[i]) * scale);
    y[i] = static_cast<Value>(static_cast<float>(rounded) * static_cast<float>(weight[i]));
  }
}

// One pass and one allocation where the composed operators take several of each.
template <typename Value>
at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  const std::int64_t size = x.size(-1);
  at::Tensor y = at::empty(x.sizes(), x.options());
  const Value* in = x.const_data_ptr<Value>();
  const Value* weight = weight_D.const_data_ptr<Value>();
  Value* out = y.mutable_data_ptr<Value>();
  at::parallel_for(0, x.numel() / size, kValuesPerTask / size + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      normalise_row(in + row * size, weight, out + row * size, size, static_cast<float>(eps));
    }
  });
  return y;
}

bool takes_own_kernel(const at::Tensor& x, const at::Tensor& weight_D) {
  return is_inference() && x.is_cpu() && x.is_contiguous() && weight_D.is_contiguous() && x.size(-1) > 0 &&
         x.scalar_type() == weight_D.scalar_type();
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  if (takes_own_kernel(x, weight_D)) {
    if (x.scalar_type() == at::kFloat) return normalise<float>(x, weight_D, eps);
    if (x.scalar_type() == at::kBFloat16) return normalise<at::BFloat16>(x, weight_D, eps);
  }
  const at::IntArrayRef normalised = weight_D.sizes();
  // The fused operator multiplies by the weight before it rounds, the reference after; on a GPU, where the other way
  // takes four kernels, that half a bit is given for the time.
  if (x.scalar_type() == at::kFloat || x.is_cuda()) return at::rms_norm(x, normalised, weight_D, eps);
  return at::mul(at::rms_norm(x.to(at::kFloat), normalised, {}, eps).to(x.scalar_type()), weight_D);
}

}  // namespace lathe
