#include <nlohmann/json.hpp>

#include "model/data/plan.h"
#include "model/io/json_file.h"
#include "tests/fuzz/fuzz.h"

namespace {

lathe::ModelConfig model_of_four_layers() {
  return lathe::config_from_json({{"model_type", "llama"},
                                  {"vocab_size", 64},
                                  {"hidden_size", 64},
                                  {"intermediate_size", 128},
                                  {"num_hidden_layers", 4},
                                  {"num_attention_heads", 4},
                                  {"num_key_value_heads", 2}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const ModelConfig model = model_of_four_layers();
  ConversionPlan plan;
  if (!accepts([&] { plan = plan_from_json(parse_json(as_text(data, size), "plan.json")); })) return 0;
  require(plan_from_json(plan_to_json(plan)) == plan, "a plan that is written reads the same");
  const bool possible = plan_problems(plan, model).empty();
  require(accepts([&] { planned_config(plan, model); }) == possible, "a plan without problems has a config");
  return 0;
}
