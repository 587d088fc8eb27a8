#include "views/plan_editor.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/sample_session.h"
#include "views/plan_view.h"
#include "views/ui_state.h"

namespace lathe {
namespace {

ConversionPlan one_layer(std::int64_t layer) {
  return with_cell({}, sample_config(), {layer, LayerPart::Attention}, true);
}

TEST(PlanEditor, UndoAndRedoReturnTheSamePlans) {
  PlanEditor editor;
  editor.edit("first", one_layer(1));
  editor.edit("second", one_layer(2));
  editor.undo();
  EXPECT_EQ(editor.plan(), one_layer(1));
  EXPECT_EQ(editor.redo_name(), "second");
  editor.undo();
  EXPECT_TRUE(editor.plan().empty());
  editor.redo();
  editor.redo();
  EXPECT_EQ(editor.plan(), one_layer(2));
  EXPECT_FALSE(editor.can_redo());
}

TEST(PlanEditor, OneGestureIsOneStep) {
  PlanEditor editor;
  for (std::int64_t layer = 0; layer < 5; ++layer) editor.edit("drag", one_layer(layer), /*gesture=*/7);
  editor.undo();
  EXPECT_TRUE(editor.plan().empty());
  EXPECT_FALSE(editor.can_undo());
}

TEST(PlanEditor, AnEditThatChangesNothingIsNoStep) {
  PlanEditor editor;
  editor.edit("nothing", {});
  EXPECT_FALSE(editor.can_undo());
}

TEST(PlanEditor, AnEditAfterUndoForgetsWhatWasUndone) {
  PlanEditor editor;
  editor.edit("first", one_layer(1));
  editor.undo();
  editor.edit("other", one_layer(3));
  EXPECT_FALSE(editor.can_redo());
}

TEST(PlanEditor, APlanCarriedOutComesBackOnce) {
  PlanEditor editor;
  editor.edit("first", one_layer(1));
  editor.applied(planned_config(one_layer(1), sample_config()));
  EXPECT_TRUE(editor.plan().empty());
  EXPECT_FALSE(editor.can_undo());
  EXPECT_TRUE(editor.restore(sample_config()));
  EXPECT_EQ(editor.plan(), one_layer(1));
  EXPECT_FALSE(editor.restore(sample_config()));
}

TEST(PlanEditor, WhatWasPlannedWhileConvertingStays) {
  PlanEditor editor;
  editor.edit("both", with_cell(one_layer(1), sample_config(), {2, LayerPart::FeedForward}, true));
  editor.applied(planned_config(one_layer(1), sample_config()));
  EXPECT_EQ(editor.plan().num_mla(), 0);
  EXPECT_EQ(editor.plan().num_moe(), 1);
}

TEST(PlanEditor, UndoingSomethingElseLeavesTheCarriedOutPlanAlone) {
  PlanEditor editor;
  editor.edit("first", one_layer(1));
  const ModelConfig converted = planned_config(one_layer(1), sample_config());
  editor.applied(converted);
  EXPECT_FALSE(editor.restore(converted));
  EXPECT_TRUE(editor.plan().empty());
}

TEST(PlanEditor, AnUndoneConversionThatCannotComeBackIsForgotten) {
  PlanEditor editor;
  editor.edit("first", one_layer(1));
  editor.applied(planned_config(one_layer(1), sample_config()));
  editor.edit("other", one_layer(5));
  EXPECT_FALSE(editor.restore(sample_config()));
  EXPECT_EQ(editor.plan(), one_layer(5));
  editor.edit("clear", {});
  EXPECT_FALSE(editor.restore(sample_config()));
  EXPECT_TRUE(editor.plan().empty());
}

TEST(PlanEditor, DefaultsFitTheModel) {
  for (const std::int64_t head_dim : {32, 64, 128}) {
    ModelConfig config = sample_config(12);
    config.head_dim = head_dim;
    const ConversionPlan plan = suggested_plan(config);
    EXPECT_GT(plan.num_mla(), 0);
    EXPECT_GT(plan.num_moe(), 0);
    EXPECT_TRUE(plan_problems(plan, config).empty()) << plan_problems(plan, config).front();
    EXPECT_LT(sizes_of(planned_config(plan, config)).kv_values_per_token, sizes_of(config).kv_values_per_token);
  }
}

TEST(PlanEditor, SuggestsForAModelOfOneLayerWithoutFailing) {
  const ModelConfig config = sample_config(1);
  EXPECT_TRUE(plan_problems(suggested_plan(config), config).empty() || suggested_plan(config).empty());
}

TEST(PlanEditor, NewCellsTakeTheSizesOfThoseAlreadyPlanned) {
  ConversionPlan plan = one_layer(1);
  plan.layers[1].attention->kv_lora_rank = 40;
  plan = with_cell(plan, sample_config(), {5, LayerPart::Attention}, true);
  EXPECT_EQ(plan.layers[5].attention->kv_lora_rank, 40);
}

TEST(PlanEditor, EntriesGroupLayersWithEqualSettings) {
  const std::vector<PlanEntry> entries = entries_of(sample_plan());
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].layers.size(), 9U);
  EXPECT_EQ(layer_ranges({8, 10, 12, 13, 14, 20, 21}), "8, 10, 12\u201314, 20, 21");
}

TEST(Settings, SurviveARoundTripAndDamage) {
  Settings settings;
  settings.theme = Theme::Light;
  settings.scale = 1.5F;
  settings.recent = {{"tiny"}, {"/models/a b", "/configs/c.json"}};
  settings.smoothing = 0.5F;
  settings.loss_parts = {.next_token = false, .kl = true, .balance = false, .lr = true};
  EXPECT_EQ(settings_from_json(settings_to_json(settings)), settings);
  EXPECT_EQ(settings_from_json(nlohmann::json::parse(R"({"scale": "big", "theme": 9, "recent": 3})")), Settings());
  EXPECT_EQ(settings_from_json(nlohmann::json::parse(R"({"recent": [1, {"path": 2}, {"config": "c"}]})")), Settings());
  EXPECT_FLOAT_EQ(settings_from_json(nlohmann::json{{"scale", 50}}).scale, 2.0F);
  EXPECT_EQ(settings_from_json(nlohmann::json::array()), Settings());
}

}  // namespace
}  // namespace lathe
