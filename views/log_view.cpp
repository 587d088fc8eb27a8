#include "views/log_view.h"

#include "views/widgets.h"

namespace lathe {
namespace {

std::string all_lines(const std::vector<LogLine>& log) {
  std::string text;
  for (const LogLine& line : log) {
    const char* names[] = {"", "warning: ", "error: "};
    text += std::string(names[static_cast<int>(line.level)]) + line.text + "\n";
  }
  return text;
}

}  // namespace

void LogView::draw(const Session& session, UiState&, Commands&) {
  if (session.log.empty()) {
    empty_state("Nothing was logged yet. What the engine reports about files, devices and warnings appears here.");
    return;
  }
  ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.9F);
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(session.log.size()));
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      const LogLine& line = session.log[static_cast<std::size_t>(i)];
      const ImVec4& tint = line.level == LogLevel::Error     ? colors().error
                           : line.level == LogLevel::Warning ? colors().warning
                                                             : colors().dim;
      ImGui::PushStyleColor(ImGuiCol_Text, tint);
      ImGui::TextUnformatted(line.text.c_str());
      ImGui::PopStyleColor();
    }
  }
  ImGui::PopFont();
  if (ImGui::GetScrollY() >= ImGui::GetScrollMaxY()) ImGui::SetScrollHereY(1.0F);
  if (!ImGui::BeginPopupContextWindow("log menu")) return;
  if (ImGui::MenuItem("Copy all")) ImGui::SetClipboardText(all_lines(session.log).c_str());
  ImGui::EndPopup();
}

}  // namespace lathe
