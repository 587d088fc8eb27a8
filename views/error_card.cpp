#include "views/error_card.h"

#include "views/widgets.h"

namespace lathe {
namespace {

/// "Got" and what it was, beside each other; long texts wrap under themselves.
void part(const char* name, const std::string& value) {
  if (value.empty()) return;
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted(name);
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(value.c_str(), value.c_str() + value.size());
  ImGui::PopTextWrapPos();
}

std::string as_sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace

void error_card(const ErrorParts& error) {
  ImGui::PushFont(bold_font(), 0);
  problem(as_sentence(error.what).c_str());
  ImGui::PopFont();
  error_details(error);
}

void error_details(const ErrorParts& error) {
  const bool has_parts = !error.got.empty() || !error.expected.empty() || !error.hint.empty() || !error.where.empty();
  if (has_parts && ImGui::BeginTable("parts", 2)) {
    ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthFixed, px(72));
    ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch);
    part("Got", error.got);
    part("Expected", error.expected);
    part("Next", as_sentence(error.hint));
    part("Where", error.where);
    ImGui::EndTable();
  }
  chip(error_code_name(error.code).data(), colors().error);
  explain("What kind of thing is wrong, for scripts: the same name as in the command line's JSON");
  ImGui::SameLine();
  if (quiet_button("Copy message")) ImGui::SetClipboardText(to_text(error).c_str());
}

}  // namespace lathe
