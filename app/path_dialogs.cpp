#include "app/path_dialogs.h"

#include <portable_file_dialogs.h>

#include <variant>

#include "model/data/error.h"

namespace lathe {

struct PathDialogs::Open {
  std::variant<pfd::open_file, pfd::select_folder, pfd::save_file> dialog;
  Answer answer;
};

PathDialogs::PathDialogs() = default;
PathDialogs::~PathDialogs() = default;

void PathDialogs::ask(PathFor purpose, Answer answer) {
  check(pfd::settings::available(),
        "no file dialog is installed (zenity or kdialog); drop the file on the window, or install one");
  const auto file = [](const char* title, std::vector<std::string> filters) {
    return pfd::open_file(title, "", std::move(filters));
  };
  switch (purpose) {
    case PathFor::OpenModelFolder:
      open_ = std::make_unique<Open>(Open{pfd::select_folder("Open a model folder"), std::move(answer)});
      return;
    case PathFor::SaveModel:
      open_ = std::make_unique<Open>(Open{pfd::select_folder("Save the model into a folder"), std::move(answer)});
      return;
    case PathFor::OpenModelFile:
      open_ = std::make_unique<Open>(
          Open{file("Open a model", {"Models", "*.gguf *.safetensors", "All files", "*"}), std::move(answer)});
      return;
    case PathFor::OpenPlan:
      open_ =
          std::make_unique<Open>(Open{file("Open a plan", {"Plans", "*.json", "All files", "*"}), std::move(answer)});
      return;
    case PathFor::TrainingText:
    case PathFor::CalibrationText:
      open_ = std::make_unique<Open>(
          Open{file("Choose a text", {"Texts", "*.txt *.md", "All files", "*"}), std::move(answer)});
      return;
  }
}

void PathDialogs::ask_save(const std::string& suggestion, Answer answer) {
  check(pfd::settings::available(), "no file dialog is installed (zenity or kdialog); install one to save files");
  open_ = std::make_unique<Open>(Open{pfd::save_file("Save as", suggestion), std::move(answer)});
}

bool PathDialogs::is_open() const { return open_ != nullptr; }

void PathDialogs::poll() {
  if (!open_ || !std::visit([](auto& dialog) { return dialog.ready(0); }, open_->dialog)) return;
  const std::unique_ptr<Open> done = std::move(open_);
  struct PathOf {
    std::string operator()(pfd::open_file& dialog) const {
      const auto paths = dialog.result();
      return paths.empty() ? std::string() : paths.front();
    }
    std::string operator()(pfd::select_folder& dialog) const { return dialog.result(); }
    std::string operator()(pfd::save_file& dialog) const { return dialog.result(); }
  };
  const std::string path = std::visit(PathOf{}, done->dialog);
  if (!path.empty()) done->answer(path);
}

}  // namespace lathe
