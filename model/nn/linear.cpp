#include "model/nn/linear.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include "model/nn/few_rows.h"

namespace lathe {
namespace {

bool is_plain(const at::Tensor& tensor, const at::Tensor& x) {
  return !tensor.defined() || (tensor.is_contiguous() && tensor.scalar_type() == x.scalar_type() && tensor.is_cpu());
}

bool takes_few_rows(const Linear& linear, const at::Tensor& x) {
  return is_plain(linear.weight_OI, x) && is_plain(linear.bias_O, x);
}

bool has_few_rows(const at::Tensor& x) {
  return is_inference() && x.is_cpu() && x.size(-1) > 0 && x.numel() <= kMostFewRows * x.size(-1) && x.numel() > 0 &&
         has_few_rows_kernel(x.scalar_type());
}

at::Tensor empty_output(const Linear& linear, const at::Tensor& x) {
  at::DimVector shape(x.sizes());
  shape.back() = linear.weight_OI.size(0);
  return at::empty(shape, x.options());
}

FewRowsProduct product_of(const Linear& linear, const at::Tensor& x, const at::Tensor& y) {
  return {.x_MI = x.const_data_ptr(),
          .weight_OI = linear.weight_OI.const_data_ptr(),
          .bias_O = linear.bias_O.defined() ? linear.bias_O.const_data_ptr() : nullptr,
          .y_MO = y.mutable_data_ptr(),
          .rows = x.numel() / x.size(-1),
          .inputs = x.size(-1),
          .outputs = linear.weight_OI.size(0)};
}

}  // namespace

bool is_inference() { return !at::GradMode::is_enabled(); }

at::Tensor apply(const Linear& linear, const at::Tensor& x) { return apply_all({&linear}, x).front(); }

std::vector<at::Tensor> apply_all(std::initializer_list<const Linear*> linears, const at::Tensor& x) {
  bool few = has_few_rows(x);
  for (const Linear* linear : linears) few = few && takes_few_rows(*linear, x);
  std::vector<at::Tensor> outputs;
  outputs.reserve(linears.size());
  if (!few) {
    for (const Linear* linear : linears) {
      outputs.push_back(
          at::linear(x, linear->weight_OI, linear->bias_O.defined() ? std::optional(linear->bias_O) : std::nullopt));
    }
    return outputs;
  }
  const at::Tensor plain_x = x.contiguous();
  c10::SmallVector<FewRowsProduct, 4> products;
  for (const Linear* linear : linears) {
    outputs.push_back(empty_output(*linear, plain_x));
    products.push_back(product_of(*linear, plain_x, outputs.back()));
  }
  run_few_rows(products, x.scalar_type());
  return outputs;
}

}  // namespace lathe
