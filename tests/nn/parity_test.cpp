#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>

#include <array>
#include <filesystem>

#include "model/io/json_file.h"
#include "tests/nn/parity_case.h"
#include "tests/nn/reference_run.h"
#include "tests/support/gpu.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-5;

constexpr std::array kCases{"llama_gqa",
                            "llama_mha_tied",
                            "llama_mqa_wide_head",
                            "llama_biases",
                            "llama_linear_rope",
                            "llama_llama3_rope",
                            "mla",
                            "mla_factored_query_biases",
                            "mla_wide_value",
                            "moe_mixtral",
                            "moe_qwen2",
                            "moe_qwen2_renormalised",
                            "moe_deepseek",
                            "moe_deepseek_not_renormalised"};

fs::path golden(const std::string& name, const char* extension) {
  return fs::path(LATHE_SOURCE_DIR) / "tests/nn/goldens" / (name + extension);
}

// The weights and inputs of a committed case, changed: weights moved a little, ids reversed.
TensorMap new_inputs(const std::string& name) {
  const at::Generator generator = at::detail::createCPUGenerator(7);
  TensorMap inputs;
  for (const auto& [key, tensor] : read_tensors(golden(name, ".safetensors"))) {
    if (key == "output" || key.starts_with("grad.")) continue;
    const bool is_float = tensor.scalar_type() == at::kFloat;
    inputs[key] = is_float ? tensor + 0.1 * at::randn(tensor.sizes(), generator) : tensor.flip(-1);
  }
  return inputs;
}

class Parity : public testing::TestWithParam<const char*> {};

TEST_P(Parity, OutputsAndGradientsEqualTheCommittedReference) {
  const TensorMap tensors = read_tensors(golden(GetParam(), ".safetensors"));

  const TensorMap ours = run_parity_case(read_json_file(golden(GetParam(), ".json")), tensors);

  expect_parity(ours, tensors, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, Parity, testing::ValuesIn(kCases),
                         [](const auto& parity_case) { return std::string(parity_case.param); });

class ParityOnAGpu : public GpuTest {};

TEST_F(ParityOnAGpu, OutputsAndGradientsEqualTheCommittedReference) {
  for (const char* name : kCases) {
    SCOPED_TRACE(name);
    const TensorMap tensors = read_tensors(golden(name, ".safetensors"));
    expect_parity(run_parity_case(read_json_file(golden(name, ".json")), tensors, gpu_), tensors, kTolerance);
  }
}

TEST(LiveParity, OutputsAndGradientsEqualTransformersOnNewWeights) {
  LATHE_NEEDS_REFERENCE();
  std::vector<ReferenceCall> calls;
  for (const char* name : kCases) calls.push_back({golden(name, ".json"), new_inputs(name)});

  const std::vector<TensorMap> theirs = run_reference(calls);

  for (std::size_t i = 0; i < calls.size(); ++i) {
    SCOPED_TRACE(kCases[i]);
    expect_parity(run_parity_case(read_json_file(calls[i].subject), calls[i].inputs), theirs[i], kTolerance);
  }
}

}  // namespace
}  // namespace lathe
