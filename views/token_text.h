#pragma once

#include <imgui.h>

#include <string>
#include <string_view>

namespace lathe {

/// A token's bytes as a reader can see them: leading spaces as ␣, newlines as ⏎, tabs as ⇥, bytes that are not UTF-8 as
/// <0xE4>. `spaces` false leaves spaces alone.
std::string visible_token(std::string_view bytes, bool spaces = true);

/// Lays out tokens one after the other like words in a paragraph, each with its own background.
class TokenFlow {
 public:
  /// Starts at the cursor and fills the width of the window.
  TokenFlow();
  /// Draws one token; true while the mouse is over it. A newline in the token ends the line after it.
  bool add(std::string_view bytes, ImU32 background, ImU32 ink);
  /// The rectangle of the token last drawn.
  ImVec2 last_low() const { return last_low_; }
  ImVec2 last_high() const { return last_high_; }
  /// Reserves the space that was drawn.
  void end();

 private:
  ImVec2 start_, at_, last_low_, last_high_;
  float width_, line_height_;
};

}  // namespace lathe
