#include "model/nn/weight_values.h"

#include <gmock/gmock.h>

#include <limits>

#include "model/nn/names.h"
#include "tests/nn/tiny_models.h"

namespace lathe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Model model_as(at::ScalarType dtype) {
  return map_model(random_model(tiny_mixed_config()),
                   [&](const std::string&, const at::Tensor& tensor) { return tensor.to(dtype).clone(); });
}

/// Sets one value of the tensor `name`, counted in memory.
void set_value(const Model& model, const std::string& name, std::int64_t place, float value) {
  for (const NamedTensor& named : model_tensors(model)) {
    if (named.name == name) named.tensor.view(-1)[place].fill_(value);
  }
}

class NonFiniteWeights : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(NonFiniteWeights, AreNoneInASoundModel) { EXPECT_THAT(non_finite_weights(model_as(GetParam())), IsEmpty()); }

TEST_P(NonFiniteWeights, AreCountedAndPlaced) {
  const Model model = model_as(GetParam());
  const std::string name = "model.layers.1.self_attn.q_proj.weight";  // 16 by 16
  set_value(model, name, 35, kInfinity);
  set_value(model, name, 255, kNan);
  set_value(model, "model.norm.weight", 15, -kInfinity);
  EXPECT_THAT(non_finite_weights(model),
              ElementsAre(AllOf(HasSubstr(name), HasSubstr("2 of 256 values"), HasSubstr("[2, 3]")),
                          AllOf(HasSubstr("model.norm.weight"), HasSubstr("1 of 16 values"), HasSubstr("[15]"))));
}

TEST_P(NonFiniteWeights, OfManyTensorsAreNotListedOneByOne) {
  const Model model = model_as(GetParam());
  const std::vector<NamedTensor> tensors = model_tensors(model);
  for (const NamedTensor& named : tensors) set_value(model, named.name, 0, kNan);
  const std::vector<std::string> sentences = non_finite_weights(model);
  ASSERT_EQ(sentences.size(), 4U);
  EXPECT_THAT(sentences[3], HasSubstr(std::to_string(tensors.size() - 3) + " more tensors"));
}

INSTANTIATE_TEST_SUITE_P(In, NonFiniteWeights, ::testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                         [](const auto& dtype) { return std::string(c10::toString(dtype.param)); });

}  // namespace
}  // namespace lathe
