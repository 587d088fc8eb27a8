#pragma once

#include <set>
#include <string>

#include "views/actions.h"
#include "views/tensor_table.h"

namespace lathe {

/// Which model to open, and what opening it means, before any weight is read: its sizes, its memory against what is
/// free, its tensors, its warnings, or why it cannot be opened.
class OpenDialog {
 public:
  /// While `ui.dialog` is Dialog::Open.
  void draw(ActionContext context);

 private:
  void draw_path(ActionContext context);
  /// One that asks for a preview when it changes; `beside` is left free to its right.
  void draw_field(ActionContext context, const char* id, std::string& value, const char* hint, float beside);
  void draw_recent(ActionContext context, float width);
  void draw_preview(ActionContext context);
  void draw_facts(const ModelPreview& preview);
  void draw_memory(const ModelPreview& preview, UiState& ui);
  void draw_tensors(const ActionContext& context);
  void draw_buttons(ActionContext context);
  void ask_when_typed(ActionContext context);

  TensorTable table_;
  std::string chosen_tensor_;
  std::set<std::string> missing_;  ///< of the recent models, when the dialog opened
  double typed_at_ = -1.0;         ///< ImGui::GetTime() of a change of the path that was not asked about yet
};

}  // namespace lathe
