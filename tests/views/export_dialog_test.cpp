#include "tests/support/sample_session.h"
#include "tests/support/ui_test.h"
#include "views/actions.h"
#include "views/reasons.h"

namespace lathe {
namespace {

class TheExportDialog : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    ui_.settings.tour_seen = true;
    session_ = opened_session();
    session_.model->export_targets = sample_export_targets();
  }
  ActionContext context() { return {session_, ui_, commands_}; }
};

TEST_F(TheExportDialog, AsksForAFolderAndExportsInTheChosenForm) {
  act([](ImGuiTestContext* user) {
    user->KeyPress(static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_E));
    user->ItemClick("**/Mixtral (stock transformers)");
    user->ItemClick("//Export the model/dtype/bf16");
    user->ItemClick("//Export the model/Choose a folder\u2026");
  });
  ASSERT_EQ(requested<AskPath>().size(), 1U);
  EXPECT_EQ(requested<AskPath>()[0].purpose, PathFor::ExportModel);
  export_to(context(), "/out");
  frames(2);
  ASSERT_EQ(posted<ExportModel>().size(), 1U);
  EXPECT_EQ(posted<ExportModel>()[0].form, "mixtral");
  EXPECT_EQ(posted<ExportModel>()[0].dtype, "bf16");
  EXPECT_EQ(posted<ExportModel>()[0].path, "/out");
  EXPECT_EQ(ui_.dialog, Dialog::Export) << "the dialog comes back with the progress";
}

TEST_F(TheExportDialog, AFormThatDoesNotFitCannotBeChosen) {
  ui_.dialog = Dialog::Export;
  frames(3);
  act([](ImGuiTestContext* user) {
    EXPECT_TRUE((user->ItemInfo("**/DeepSeek-V3 (stock transformers)").ItemFlags & ImGuiItemFlags_Disabled) != 0);
  });
  ui_.export_form.form = "deepseek-v3";
  EXPECT_NE(why_not_export(context()), nullptr);
  export_to(context(), "/out");
  EXPECT_TRUE(posted<ExportModel>().empty());
}

TEST_F(TheExportDialog, CancelsTheExportThatRuns) {
  session_.jobs.clear();
  frames(1);
  export_to(context(), "/out");
  frames(2);
  reduce(session_, Event{ui_.export_job, JobStarted{"Export as hf"}});
  reduce(session_, Event{ui_.export_job, JobProgress{{"write", "bytes", 1, 4}, 0.1}});
  EXPECT_NE(why_not_export(context()), nullptr) << "one after the other";
  act([](ImGuiTestContext* user) { user->ItemClick("//Export the model/Cancel export"); });
  ASSERT_EQ(posted<CancelJob>().size(), 1U);
  EXPECT_EQ(posted<CancelJob>()[0].job, ui_.export_job);
}

}  // namespace
}  // namespace lathe
