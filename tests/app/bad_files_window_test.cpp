// Every file of the corpora, opened as a user does it: dropped on the window. Real widgets, real workers, real engine.
#include <imgui_internal.h>

#include <chrono>
#include <thread>

#include "app/preview_engine.h"
#include "app/torch_engine.h"
#include "app/worker.h"
#include "tests/corpus/bad_file.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/ui_test.h"
#include "views/actions.h"
#include "views/format.h"
#include "views/reasons.h"

namespace lathe {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 300s;  // no time is measured; only a hang ends here

class BadFilesInTheWindow : public UiTest {
 protected:
  void SetUp() override {
    UiTest::SetUp();
    ui_.settings.tour_seen = true;
    shell_ = std::make_unique<Shell>();
  }
  void TearDown() override {
    shell_.reset();
    UiTest::TearDown();
  }

  void draw() {
    for (Worker* worker : {&engine_, &previewer_}) {
      for (const Event& event : worker->events()) reduce(session_, event);
      for (const Snapshot& picture : worker->pictures()) reduce(session_, picture);
    }
    shell_->draw(session_, ui_, commands_);
    for (Command& command : commands_.take_posted()) {
      reduce(session_, command);
      const bool is_preview = std::holds_alternative<PreviewModel>(command.what);
      (is_preview ? previewer_ : engine_).post(std::move(command));
    }
  }

  template <typename Done>
  void until(Done done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    do {
      frame([this] { draw(); });
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
      if (!done()) std::this_thread::sleep_for(1ms);
    } while (!done());
  }

  ActionContext context() { return {session_, ui_, commands_}; }

  /// What the Open dialog says of it.
  std::optional<ErrorParts> refusal_in_the_dialog(const std::string& path) {
    ask_preview(context(), path);
    until([&] { return session_.preview && session_.preview->path == path && session_.previewing == 0; });
    for (int i = 0; i < 2; ++i) frame([this] { draw(); });
    EXPECT_NE(ImGui::FindWindowByName("Open a model"), nullptr);
    return session_.preview->refusal;
  }

  /// What the card of the failed job says when it is opened all the same.
  std::optional<ErrorParts> refusal_of_the_job(const std::string& path) {
    ui_.dialog = Dialog::None;
    open_model_at_once(context(), {.path = path});
    until([this] { return !is_pending(session_, ui_.open_job) || ui_.open_job == 0; });
    const JobView& job = session_.jobs.back();
    if (job.outcome != JobOutcome::Failed) return std::nullopt;
    frame([this] { draw(); });
    const ShortText card = format("##failure %lld", static_cast<long long>(job.id));
    const ImGuiWindow* window = ImGui::FindWindowByName(card.c_str());
    EXPECT_TRUE(window != nullptr && window->Active) << "no card is shown";
    ui_.dismissed.insert(job.id);
    return job.error;
  }

  Session session_;
  UiState ui_;
  Commands commands_;
  std::unique_ptr<Shell> shell_;
  Worker previewer_{make_preview_engine, [] {}};
  Worker engine_{[] { return make_torch_engine({.threads = 1}); }, [] {}};  ///< last: ends first
};

void expect_all_parts(const ErrorParts& refusal, const std::string& folder) {
  for (const std::string* part : {&refusal.what, &refusal.where, &refusal.got, &refusal.expected, &refusal.hint})
    EXPECT_FALSE(part->empty()) << to_text(refusal);
  EXPECT_TRUE(refusal.where.find(folder) != std::string::npos || refusal.where.starts_with("config.json"))
      << to_text(refusal);
}

TEST_F(BadFilesInTheWindow, EachEndsInACardThatSaysWhatAndWhereAndWhatNext) {
  std::size_t refused = 0;
  for (const BadFile& file : model_corpus()) {
    SCOPED_TRACE(file.name);
    const TemporaryFolder folder;
    file.write(folder.path());
    const std::string path = (folder.path() / file.opened).string();
    const auto in_dialog = refusal_in_the_dialog(path);
    EXPECT_EQ(!why_not_open(context()).empty(), in_dialog.has_value());
    if (!file.expected) continue;  // its headers are whole; whether its tensors are a model is another question
    if (file.expected == ErrorCode::Checksum) continue;  // shows when the bytes are read, which no preview does
    ASSERT_TRUE(in_dialog.has_value()) << "the dialog offers to open it";
    EXPECT_EQ(error_code_name(in_dialog->code), error_code_name(*file.expected)) << to_text(*in_dialog);
    expect_all_parts(*in_dialog, folder.path().string());
    const auto of_job = refusal_of_the_job(path);
    ASSERT_TRUE(of_job.has_value()) << "it opened";
    EXPECT_EQ(*of_job, *in_dialog) << to_text(*of_job) << "\n" << to_text(*in_dialog);
    EXPECT_FALSE(session_.model.has_value());
    ++refused;
  }
  EXPECT_GT(refused, 200U);
}

}  // namespace
}  // namespace lathe
