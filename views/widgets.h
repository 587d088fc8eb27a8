#pragma once

#include <imgui.h>

#include <functional>
#include <initializer_list>
#include <string>

#include "views/commands.h"
#include "views/format.h"
#include "views/theme.h"

namespace lathe {

/// In an empty panel: what to do to fill it, in a sentence with a button. True when the button was pressed. Without a
/// label there is no button; with a reason `why_not` it cannot be pressed and the reason stands below it.
bool empty_state(const char* sentence, const char* button = nullptr, const char* why_not = nullptr);

/// A button in the accent colour: the one next step of its panel.
bool primary_button(const char* label, ImVec2 size = {0, 0});

/// A flat button without a frame, for toolbars.
bool quiet_button(const char* label, const char* tooltip = nullptr);

/// Tabs that switch `chosen`; true when it changed.
bool segmented(const char* id, std::initializer_list<const char*> labels, int& chosen);

/// Small upper-case heading with space above.
void heading(const char* text);
/// Dim small text that wraps, at `wrap` in the window or at its end: where numbers come from.
void caption(const char* text, float wrap = 0.0F);
/// How high caption() will be in what is left of the line.
float caption_height(const char* text);
/// A sentence in the colour of an error or a warning, with a mark in front.
void problem(const char* text);
void warning(const char* text);

/// A row: name left, value right-aligned in the mono font. `tooltip` explains how the value is computed.
void value_row(const char* name, const char* value, const char* tooltip = nullptr);
/// The same with the value in `tint`.
void tinted_row(const char* name, const char* value, const ImVec4& tint, const char* tooltip = nullptr);

/// Takes the arrow keys, Home and End for the caller, so that they do not move the keyboard's focus among widgets.
/// False while a widget is in use, which needs them itself. Call it every frame in which the panel has the keyboard.
bool own_arrow_keys();

/// Text right-aligned in what is left of the line.
void text_right(const char* text);

/// Text with an ellipsis where it does not fit the line, then whole in a tooltip.
void clipped_text(const char* text);

/// The first of the texts, best first, that fits what is left of the line; if none does, the last with an ellipsis.
/// What was left out is in a tooltip.
void fitting_text(std::initializer_list<const char*> texts);

/// Stays on the line if an item of this width still fits it; else the next item starts a new one.
void same_line_if_fits(float width, float spacing);

/// A coloured pill with text, as large as the text.
void chip(const char* text, const ImVec4& tint);

/// Tooltip for the item before, after a short delay, wrapped.
void explain(const char* text);

/// A thin bar of `fraction` in [0, 1].
void thin_bar(float fraction, const ImVec4& tint, float height = 4.0F);

/// What a panel gives when asked to export; null where it has none.
struct Exports {
  const char* name = "figure";  ///< of the file, without extension
  std::function<std::string()> csv = nullptr;
  std::function<std::string()> json = nullptr;
};

/// The menu of the rectangle last drawn, opened by the right mouse button or by a call of `export_button`: Copy as
/// picture, Save PNG…, Save CSV…, Save JSON….
void export_menu(const char* id, const PixelRect& rect, const Exports& exports, Commands& commands);
/// A quiet "Export" button at the right end of the line that opens the same menu.
void export_button(const char* id);

/// The rectangle of the item last drawn.
PixelRect last_item_rect();

/// Puts the label left and the next item right, as wide as all fields of a form; on a line of its own where there is no
/// room.
void label_left(const char* label, const char* tooltip);

/// An input for whole numbers kept in [low, high]; label left, field right. True when it changed.
bool int_row(const char* label, std::int64_t& value, std::int64_t low, std::int64_t high, const char* tooltip);
/// A slider for whole numbers.
bool slider_row(const char* label, std::int64_t& value, std::int64_t low, std::int64_t high, const char* tooltip);
bool real_row(const char* label, double& value, const char* pattern, const char* tooltip);

/// An input for std::string; `hint` shows while it is empty.
bool text_input(const char* label, std::string& value, const char* hint, ImGuiInputTextFlags flags = 0);
bool text_area(const char* label, std::string& value, ImVec2 size, ImGuiInputTextFlags flags = 0);

}  // namespace lathe
