#include "app/path_dialogs.h"

#include <imgui.h>
#include <portable_file_dialogs.h>

#include <filesystem>
#include <variant>

#include "views/widgets.h"

namespace lathe {
namespace {

/// Our own window: a path that is typed or pasted.
struct Prompt {
  const char* title;
  std::string path;
  bool is_new = true;
};

using Dialog = std::variant<pfd::open_file, pfd::select_folder, pfd::save_file, Prompt>;

const char* title_of(PathFor purpose) {
  switch (purpose) {
    case PathFor::OpenModelFile:
      return "Open a model file";
    case PathFor::OpenModelFolder:
      return "Open a model folder";
    case PathFor::OpenModelConfig:
      return "Choose the config of the model";
    case PathFor::OpenPlan:
      return "Open a plan";
    case PathFor::SaveModel:
      return "Save the model into a folder";
    case PathFor::ExportModel:
      return "Export the model into a folder";
    case PathFor::TrainingText:
      return "Choose a text to learn from";
    case PathFor::CalibrationText:
      return "Choose a text to calibrate on";
  }
  return "";
}

std::vector<std::string> filters_of(PathFor purpose) {
  if (purpose == PathFor::OpenModelFile) return {"Models", "*.gguf *.safetensors *.bin *.pt *.pth", "All files", "*"};
  if (purpose == PathFor::OpenModelConfig) return {"Configs", "*.json", "All files", "*"};
  if (purpose == PathFor::OpenPlan) return {"Plans", "*.json", "All files", "*"};
  return {"Texts", "*.txt *.md", "All files", "*"};
}

Dialog dialog_for(PathFor purpose) {
  const char* title = title_of(purpose);
  if (!pfd::settings::available()) return Prompt{title, {}};
  if (purpose == PathFor::OpenModelFolder || purpose == PathFor::SaveModel || purpose == PathFor::ExportModel)
    return pfd::select_folder(title);
  return pfd::open_file(title, "", filters_of(purpose));
}

}  // namespace

struct PathDialogs::Open {
  Dialog dialog;
  Answer answer;
  std::function<void()> cancelled;
};

PathDialogs::PathDialogs() = default;
PathDialogs::~PathDialogs() = default;

void PathDialogs::ask(PathFor purpose, Answer answer, std::function<void()> cancelled) {
  open_ = std::make_unique<Open>(Open{dialog_for(purpose), std::move(answer), std::move(cancelled)});
}

void PathDialogs::ask_save(const std::string& suggestion, Answer answer) {
  constexpr const char* kTitle = "Save as";
  Dialog dialog = pfd::settings::available()
                      ? Dialog(pfd::save_file(kTitle, suggestion))
                      : Dialog(Prompt{kTitle, (std::filesystem::current_path() / suggestion).string()});
  open_ = std::make_unique<Open>(Open{std::move(dialog), std::move(answer), {}});
}

void PathDialogs::draw() {
  if (!open_) return;
  std::holds_alternative<Prompt>(open_->dialog) ? draw_prompt() : poll_system();
}

void PathDialogs::poll_system() {
  struct IsReady {
    bool operator()(pfd::open_file& dialog) const { return dialog.ready(0); }
    bool operator()(pfd::select_folder& dialog) const { return dialog.ready(0); }
    bool operator()(pfd::save_file& dialog) const { return dialog.ready(0); }
    bool operator()(Prompt&) const { return false; }
  };
  struct PathOf {
    std::string operator()(pfd::open_file& dialog) const {
      const auto paths = dialog.result();
      return paths.empty() ? std::string() : paths.front();
    }
    std::string operator()(pfd::select_folder& dialog) const { return dialog.result(); }
    std::string operator()(pfd::save_file& dialog) const { return dialog.result(); }
    std::string operator()(Prompt& prompt) const { return prompt.path; }
  };
  if (!std::visit(IsReady{}, open_->dialog)) return;
  close(std::visit(PathOf{}, open_->dialog));
}

/// An empty path: the user chose nothing. What is called may open the next dialog.
void PathDialogs::close(const std::string& path) {
  const std::unique_ptr<Open> done = std::move(open_);
  if (!path.empty()) return done->answer(path);
  if (done->cancelled) done->cancelled();
}

void PathDialogs::draw_prompt() {
  auto& prompt = std::get<Prompt>(open_->dialog);
  if (std::exchange(prompt.is_new, false)) ImGui::OpenPopup(prompt.title);
  ImGui::SetNextWindowPos(ImGui::GetMainViewport()->GetCenter(), ImGuiCond_Appearing, {0.5F, 0.5F});
  if (!ImGui::BeginPopupModal(prompt.title, nullptr, ImGuiWindowFlags_AlwaysAutoResize)) {
    return close("");
  }
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(px(480));
  const bool entered = text_input("##path", prompt.path, "/path", ImGuiInputTextFlags_EnterReturnsTrue);
  caption("Type or paste the path, or drop the file on the window. With zenity or kdialog the system's dialog opens.");
  const bool accepted = (primary_button("OK") || entered) && !prompt.path.empty();
  ImGui::SameLine();
  const bool cancelled = ImGui::Button("Cancel") || ImGui::IsKeyPressed(ImGuiKey_Escape);
  if (accepted || cancelled) ImGui::CloseCurrentPopup();
  const std::string path = prompt.path;
  ImGui::EndPopup();
  if (accepted || cancelled) close(accepted ? path : "");
}

}  // namespace lathe
