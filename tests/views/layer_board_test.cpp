#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/layer_cell.h"

namespace lathe {
namespace {

class LayerBoard : public ShellTest {};

TEST_F(LayerBoard, ClickSelectsOneCell) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) { user->ItemClick("**/attention 3"); });
  EXPECT_EQ(ui_.selection.cells, (std::set<Cell>{{3, LayerPart::Attention}}));
  EXPECT_TRUE(ui_.plan.plan().empty());
}

TEST_F(LayerBoard, ShiftClickExtendsAndCtrlClickAdds) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 2");
    user->KeyDown(ImGuiMod_Shift);
    user->ItemClick("**/attention 5");
    user->KeyUp(ImGuiMod_Shift);
    user->KeyDown(ImGuiMod_Ctrl);
    user->ItemClick("**/feed-forward 9");
    user->KeyUp(ImGuiMod_Ctrl);
  });
  EXPECT_EQ(ui_.selection.cells.size(), 5U);
  EXPECT_TRUE(ui_.selection.contains({4, LayerPart::Attention}));
  EXPECT_TRUE(ui_.selection.contains({9, LayerPart::FeedForward}));
}

TEST_F(LayerBoard, KeysPlanTwoMlaAndOneMoe) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_M);
    user->ItemClick("**/attention 6");
    user->KeyPress(ImGuiKey_M);
    user->ItemClick("**/feed-forward 5");
    user->KeyPress(ImGuiKey_E);
  });
  EXPECT_EQ(ui_.plan.plan().num_mla(), 2);
  EXPECT_EQ(ui_.plan.plan().num_moe(), 1);
  EXPECT_TRUE(is_planned(ui_.plan.plan(), {6, LayerPart::Attention}));
  EXPECT_TRUE(plan_problems(ui_.plan.plan(), session_.model->config).empty());
}

TEST_F(LayerBoard, TheSameKeyTakesTheCellsOutAgain) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_M);
    user->KeyPress(ImGuiKey_M);
  });
  EXPECT_TRUE(ui_.plan.plan().empty());
}

TEST_F(LayerBoard, DraggingPaintsEveryCellThatItCrossesAsOneStep) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->MouseMove("**/attention 10");
    user->MouseDown();
    user->MouseMove("**/attention 13");
    user->MouseUp();
  });
  EXPECT_EQ(ui_.plan.plan().num_mla(), 4);
  ui_.plan.undo();
  EXPECT_TRUE(ui_.plan.plan().empty());
}

TEST_F(LayerBoard, DraggingFromAPlannedCellErases) {
  session_ = opened_session();
  ui_.model = session_.model->path;
  ui_.plan.edit("Load recipe", sample_plan());
  act([](ImGuiTestContext* user) {
    user->MouseMove("**/feed-forward 11");
    user->MouseDown();
    user->MouseMove("**/feed-forward 23");
    user->MouseUp();
  });
  EXPECT_EQ(ui_.plan.plan().num_moe(), 0);
  EXPECT_EQ(ui_.plan.plan().num_mla(), 9);
}

TEST_F(LayerBoard, ArrowsMoveTheSelection) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_DownArrow, 2);
    user->KeyPress(ImGuiKey_RightArrow);
  });
  EXPECT_EQ(ui_.selection.cells, (std::set<Cell>{{6, LayerPart::FeedForward}}));
}

TEST_F(LayerBoard, TheFirstArrowSelectsTheFirstCellWithoutAMouse) {
  session_ = opened_session();
  frames(3);
  act([this](ImGuiTestContext* user) {
    user->WindowFocus("Layers###layers.Design.1");
    user->KeyPress(ImGuiKey_DownArrow);
    IM_CHECK(ui_.selection.cells == (std::set<Cell>{{0, LayerPart::Attention}}));
    user->KeyPress(ImGuiKey_DownArrow, 3);
    user->KeyPress(ImGuiKey_M);
  });
  EXPECT_TRUE(is_planned(ui_.plan.plan(), {3, LayerPart::Attention}));
}

TEST_F(LayerBoard, SelectAllTakesEveryCell) {
  session_ = opened_session(12);
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 0");
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_A));
  });
  EXPECT_EQ(ui_.selection.cells.size(), 24U);
}

TEST_F(LayerBoard, FitsManyLayersOnALaptop) {
  session_ = opened_session(126);
  act([](ImGuiTestContext* user) {
    const ImGuiTestItemInfo first = user->ItemInfo("**/attention 0");
    const ImGuiTestItemInfo last = user->ItemInfo("**/feed-forward 125");
    IM_CHECK(first.ID != 0 && last.ID != 0);
    IM_CHECK_GT(last.RectClipped.GetHeight(), 2.0F);
    IM_CHECK_LT(last.RectFull.Max.y, 800.0F - 26.0F);
  });
}

TEST_F(LayerBoard, AConvertedCellCannotBePlanned) {
  session_ = converted_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 8");
    user->KeyPress(ImGuiKey_M);
  });
  EXPECT_TRUE(ui_.plan.plan().empty());
  EXPECT_NE(ui_.notice.text.find("Undo"), std::string::npos);
}

TEST_F(LayerBoard, ALayerSwitchesKindAsSoonAsItIsConverted) {
  session_ = converting_session(1);
  ui_.model = session_.model->path;
  ui_.plan.edit("Load recipe", sample_plan());
  frames(3);
  const CellFacts done = facts_of(session_, ui_, {8, LayerPart::Attention});
  const CellFacts waiting = facts_of(session_, ui_, {10, LayerPart::Attention});
  EXPECT_TRUE(done.converted);
  EXPECT_FALSE(done.planned);
  EXPECT_TRUE(done.error.has_value());
  EXPECT_FALSE(waiting.converted);
  EXPECT_TRUE(waiting.planned);
}

TEST_F(LayerBoard, KeysDoNothingWhileTextIsTyped) {
  session_ = opened_session();
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/attention 4");
    user->KeyPress(ImGuiKey_M);
    user->ItemClick("Plan###plan.Design.1/##text");
    user->KeyChars("meme");
  });
  EXPECT_EQ(ui_.plan.plan().num_mla(), 1);
  EXPECT_EQ(ui_.plan.plan().calibration.text, "meme");
}

}  // namespace
}  // namespace lathe
