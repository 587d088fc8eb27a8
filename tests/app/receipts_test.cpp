// What of conversions and odd files stays with a model through saving and opening.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/jobs/open.h"
#include "app/torch_engine.h"
#include "model/io/json_file.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ConversionPlan plan_for(std::int64_t layer) {
  ConversionPlan plan;
  plan.layers[layer].feed_forward = MoePlan{.num_experts = 2, .router = RouterKind::Sigmoid};
  plan.calibration = {.text = {}, .num_samples = 2, .seq_len = 16};
  return plan;
}

class SavedReceipts : public ::testing::Test {
 protected:
  void run(auto what) {
    events_.clear();
    engine_->run({.job = 1, .what = std::move(what)}, Job(), outbox_);
  }

  void open(const std::string& path) { run(OpenModel{.path = path, .device = "cpu", .dtype = "bf16"}); }

  std::vector<std::string> warnings() const {
    std::vector<std::string> warnings;
    for (const Event& event : events_) {
      const auto* line = std::get_if<LogLine>(&event.what);
      if (line != nullptr && line->level == LogLevel::Warning) warnings.push_back(line->text);
    }
    return warnings;
  }

  const ModelChanged& changed() const {
    for (const Event& event : events_) {
      if (const auto* changed = std::get_if<ModelChanged>(&event.what)) return *changed;
    }
    throw std::runtime_error("the model did not change");
  }
  const std::optional<Receipt>& receipt() const { return changed().receipt; }

  const TemporaryFolder folder_;
  const std::string model_ = folder_ / "model";

 private:
  std::vector<Event> events_;
  const Outbox outbox_{.event = [this](Event event) { events_.push_back(std::move(event)); },
                       .picture = [](Snapshot) {},
                       .watches = [] { return std::vector<Watch>(); }};
  const std::unique_ptr<Engine> engine_ = make_torch_engine({});
};

TEST_F(SavedReceipts, KeepsTheReceiptsOfAllConversions) {
  open("tiny");
  EXPECT_FALSE(receipt().has_value());
  run(Convert{plan_for(1)});
  const std::string first = receipt()->model_sha256;
  run(Convert{plan_for(2)});
  const std::string second = receipt()->model_sha256;
  run(SaveModel{model_});

  const nlohmann::json saved = read_json_file(folder_ / "model/receipt.json");
  EXPECT_EQ(saved.at("model_sha256"), second);
  ASSERT_EQ(saved.at("earlier").size(), 1U);
  EXPECT_EQ(saved.at("earlier")[0].at("model_sha256"), first);

  open(model_);
  EXPECT_EQ(changed().info.sha256, second);
  run(Convert{plan_for(3)});
  ASSERT_EQ(receipt()->earlier.size(), 2U);
  EXPECT_EQ(receipt()->earlier[0].model_sha256, first);
  EXPECT_EQ(receipt()->earlier[1].model_sha256, second);
}

TEST_F(SavedReceipts, OpensAModelWhoseReceiptCannotBeRead) {
  open("tiny");
  run(Convert{plan_for(5)});
  run(SaveModel{model_});
  nlohmann::json damaged = read_json_file(folder_ / "model/receipt.json");
  damaged["nll_after"] = nullptr;
  nlohmann::json of_another = read_json_file(folder_ / "model/receipt.json");
  of_another["layers"][0]["layer"] = 6;
  const std::vector<std::pair<std::string, std::string>> cases{
      {damaged.dump(), "\"nll_after\" is missing"},
      {of_another.dump(), "it tells of layer 6, this one has layers 0 to 5"},
      {"{\"shop\": \"groceries\"}", "\"plan\" is missing"},
      {"[", "parse error"}};

  for (const auto& [content, message] : cases) {
    std::ofstream(folder_ / "model/receipt.json") << content;
    open(model_);
    EXPECT_FALSE(receipt().has_value());
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr(message)));
  }
}

TEST_F(SavedReceipts, TellsOdditiesOfTheFilesThatItOpens) {
  open("tiny");
  EXPECT_THAT(warnings(), IsEmpty());

  std::filesystem::copy(assets_folder() / "tiny", model_);
  std::ofstream(folder_ / "model/model.safetensors.index.json") << R"({"weight_map": {"a": "model.safetensors"}})";
  open(model_);
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("there are both model.safetensors and")));
}

TEST_F(SavedReceipts, StartsASigmoidRouterWithAnFp32Bias) {
  open("tiny");
  run(Convert{plan_for(1)});
  run(SaveModel{model_});

  const OpenedModel started = open_model({.path = model_, .device = "cpu", .dtype = "bf16", .init_seed = 3}, Job());

  const auto& moe = std::get<MoeFeedForward>(started.model().layers[1]->feed_forward);
  EXPECT_EQ(moe.router_ED.scalar_type(), at::kBFloat16);
  EXPECT_EQ(moe.correction_bias_E.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace lathe
