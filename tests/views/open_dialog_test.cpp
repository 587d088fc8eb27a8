#include <imgui.h>

#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/actions.h"
#include "views/reasons.h"

namespace lathe {
namespace {

constexpr std::int64_t kGb = 1'000'000'000;

/// A model of `gb` GB in f32 on a machine with 8 GB free.
ModelPreview preview_of(const std::string& path, std::int64_t gb = 1) {
  ModelPreview preview{.path = path};
  preview.format = "safetensors, BF16";
  preview.architecture = "llama";
  preview.config = sample_config();
  preview.tensors = {{.name = "model.norm.weight", .shape = {576}, .dtype = "BF16", .bytes = 1152}};
  preview.memory = {{"cpu", "f32", gb * kGb, 8 * kGb}, {"cpu", "bf16", gb * kGb / 2, 8 * kGb}};
  preview.tokenizer = "49152 tokens";
  return preview;
}

class TheOpenDialog : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    ui_.settings.tour_seen = true;
    on_command_ = [this](const Command& command) {
      const auto* ask = std::get_if<PreviewModel>(&command.what);
      if (ask == nullptr || !answers_) return;
      ModelPreview preview = preview_of(ask->path, size_gb_);
      preview.config_path = ask->config;
      preview.refusal = refusal_;
      reduce(session_, Snapshot{std::make_shared<const ModelPreview>(std::move(preview))});
      reduce(session_, Event{command.job, JobEnded{}});
    };
  }
  ActionContext context() { return {session_, ui_, commands_}; }

  bool answers_ = true;
  std::int64_t size_gb_ = 1;
  std::optional<ErrorParts> refusal_;
};

TEST_F(TheOpenDialog, LooksAtWhatIsTypedAndOpensItWithTheChosenType) {
  act([](ImGuiTestContext* user) {
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_O));
    user->Yield(3);
    user->KeyChars("/models/a");
    user->SleepNoSkip(0.5F, 1.0F / 60.0F);
  });
  ASSERT_EQ(posted<PreviewModel>().size(), 1U);
  EXPECT_EQ(posted<PreviewModel>()[0].path, "/models/a");
  EXPECT_TRUE(posted<OpenModel>().empty());
  act([](ImGuiTestContext* user) {
    user->ItemClick("**/bf16");
    user->ItemClick("//Open a model/Open");
  });
  ASSERT_EQ(posted<OpenModel>().size(), 1U);
  EXPECT_EQ(posted<OpenModel>()[0].path, "/models/a");
  EXPECT_EQ(posted<OpenModel>()[0].dtype, "bf16");
  EXPECT_EQ(ui_.dialog, Dialog::None);
}

TEST_F(TheOpenDialog, OpensNothingThatIsRefusedAndSaysWhy) {
  refusal_ = ErrorParts{.code = ErrorCode::Truncated, .what = "the file ends too early", .where = "/models/a"};
  ask_preview(context(), "/models/a");
  frames(3);
  EXPECT_EQ(why_not_open(context()), "It cannot be opened: see above");
  act([this](ImGuiTestContext* user) {
    EXPECT_TRUE((user->ItemInfo("//Open a model/Open").ItemFlags & ImGuiItemFlags_Disabled) != 0);
    user->ItemClick("**/Copy message");
    EXPECT_STREQ(ImGui::GetClipboardText(), to_text(*refusal_).c_str());  // the test engine keeps its own
  });
  EXPECT_TRUE(posted<OpenModel>().empty());
}

TEST_F(TheOpenDialog, LooksAgainWithTheConfigThatIsTypedAndOpensWithIt) {
  ask_preview(context(), "/models/bare.safetensors");
  frames(3);
  act([](ImGuiTestContext* user) {
    user->ItemInput("**/##config");
    user->KeyCharsReplaceEnter("/configs/config.json");
    user->ItemClick("//Open a model/Open");
  });
  ASSERT_EQ(posted<PreviewModel>().size(), 2U);
  EXPECT_EQ(posted<PreviewModel>()[1].path, "/models/bare.safetensors");
  EXPECT_EQ(posted<PreviewModel>()[1].config, "/configs/config.json");
  ASSERT_EQ(posted<OpenModel>().size(), 1U);
  EXPECT_EQ(posted<OpenModel>()[0].config, "/configs/config.json");
}

TEST_F(TheOpenDialog, OpensNothingUntilItHasSeenTheModelWithTheNewConfig) {
  ask_preview(context(), "/models/a");
  frames(3);
  EXPECT_EQ(why_not_open(context()), "");
  answers_ = false;
  ask_preview(context(), "/models/a", "/configs/config.json");
  frames(3);
  EXPECT_EQ(why_not_open(context()), "Its files are being looked at");
}

TEST_F(TheOpenDialog, RefusesWhatDoesNotFitUntilASmallerTypeIsChosen) {
  size_gb_ = 12;
  ask_preview(context(), "/models/a");
  frames(3);
  EXPECT_NE(why_not_open(context()).find("load it as bf16"), std::string::npos) << why_not_open(context());
  act([](ImGuiTestContext* user) { user->ItemClick("**/bf16"); });
  EXPECT_EQ(why_not_open(context()), "");
}

TEST_F(TheOpenDialog, WaitsForTheAnswerToWhatIsInTheField) {
  EXPECT_EQ(why_not_open(context()), "Choose a model first");
  answers_ = false;
  ask_preview(context(), "/models/a");
  frames(2);
  EXPECT_EQ(why_not_open(context()), "Its files are being looked at");
  reduce(session_, Snapshot{std::make_shared<const ModelPreview>(preview_of("/models/other"))});
  EXPECT_EQ(why_not_open(context()), "Its files are being looked at") << "an answer to another question";
}

TEST_F(TheOpenDialog, MarksRecentModelsThatAreGoneAndForgetsThem) {
  ui_.settings.recent = {{"/no/such/model"}, {"tiny", "/configs/c.json"}};
  act([](ImGuiTestContext* user) {
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_O));
    user->Yield(3);
    EXPECT_TRUE((user->ItemInfo("**/##model").ItemFlags & ImGuiItemFlags_Disabled) != 0);
    user->ItemClick("**/\u00d7");
  });
  EXPECT_EQ(ui_.settings.recent, (std::vector<RecentModel>{{"tiny", "/configs/c.json"}}));
  act([](ImGuiTestContext* user) { user->ItemClick("**/##tiny"); });
  ASSERT_EQ(posted<PreviewModel>().size(), 1U);
  EXPECT_EQ(posted<PreviewModel>()[0].path, "tiny");
  EXPECT_EQ(posted<PreviewModel>()[0].config, "/configs/c.json");
}

TEST_F(TheOpenDialog, ClosesOnEscapeWithoutOpening) {
  ask_preview(context(), "/models/a");
  act([](ImGuiTestContext* user) {
    user->Yield(3);
    user->KeyPress(ImGuiKey_Escape);
    user->KeyPress(ImGuiKey_Escape);
  });
  EXPECT_EQ(ui_.dialog, Dialog::None);
  EXPECT_TRUE(posted<OpenModel>().empty());
}

TEST(DroppedPaths, AModelsSmallFilesStandForItsFolder) {
  EXPECT_EQ(dropped_path("/m/config.json").path, "/m");
  EXPECT_EQ(dropped_path("/m/model.safetensors.index.json").path, "/m");
  EXPECT_EQ(dropped_path("/m/tokenizer.model").path, "/m");
  EXPECT_EQ(dropped_path("/m/model.gguf").path, "/m/model.gguf");
  EXPECT_EQ(dropped_path("/m").path, "/m");
  EXPECT_EQ(dropped_path("/m/my-recipe.json").purpose, PathFor::OpenPlan);
  EXPECT_EQ(dropped_path("/m/config.json").purpose, PathFor::OpenModelFolder);
}

}  // namespace
}  // namespace lathe
