#include "views/token_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "views/theme.h"

namespace lathe {
namespace {

/// Length of the UTF-8 sequence at the start of `bytes`; 0 if it is not one.
std::size_t sequence_length(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
  if (length == 0 || lead >= 0xF5 || length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80) return 0;
  return length;
}

/// Nothing in it has to be shown in another way; most tokens of a text are so.
bool is_plain(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

std::string visible_token(std::string_view bytes, bool spaces) {
  std::string shown;
  for (std::size_t i = 0; i < bytes.size();) {
    const char c = bytes[i];
    const std::size_t length = sequence_length(bytes.substr(i));
    if (length == 0 || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "<0x%02X>", static_cast<unsigned>(static_cast<unsigned char>(c)));
      shown += escaped;
      i += 1;
      continue;
    }
    if (c == '\n') {
      shown += "\u23ce";
    } else if (c == '\t') {
      shown += "\u21e5";
    } else if (c == ' ' && spaces) {
      shown += "\u2423";
    } else {
      shown.append(bytes.substr(i, length));
    }
    i += length;
  }
  return shown;
}

TokenFlow::TokenFlow()
    : start_(ImGui::GetCursorScreenPos()),
      at_(start_),
      last_low_(start_),
      last_high_(start_),
      width_(ImGui::GetContentRegionAvail().x),
      line_height_(ImGui::GetTextLineHeight() + px(6)) {}

bool TokenFlow::add(std::string_view bytes, ImU32 background, ImU32 ink) {
  std::string replaced;
  if (!is_plain(bytes)) replaced = visible_token(bytes, /*spaces=*/false);
  const std::string_view shown = replaced.empty() ? bytes : std::string_view(replaced);
  const ImVec2 size = ImGui::CalcTextSize(shown.data(), shown.data() + shown.size());
  if (at_.x + size.x > start_.x + width_ && at_.x > start_.x) at_ = {start_.x, at_.y + line_height_};
  const ImVec2 low = last_low_ = {at_.x, at_.y};
  const ImVec2 high = last_high_ = {at_.x + size.x, at_.y + line_height_ - px(2)};
  ImDrawList* list = ImGui::GetWindowDrawList();
  if (ImGui::IsRectVisible(low, high)) {
    if ((background & IM_COL32_A_MASK) != 0) list->AddRectFilled(low, high, background, px(2));
    list->AddText({low.x, low.y + px(2)}, ink, shown.data(), shown.data() + shown.size());
  }
  at_.x = high.x;
  if (bytes.find('\n') != std::string_view::npos) at_ = {start_.x, at_.y + line_height_};
  return ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect(low, high);
}

void TokenFlow::end() {
  ImGui::SetCursorScreenPos(start_);
  ImGui::Dummy({width_, at_.y + line_height_ - start_.y});
}

}  // namespace lathe
