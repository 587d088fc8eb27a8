#include "views/export_dialog.h"

#include <algorithm>
#include <array>

#include "views/error_card.h"
#include "views/modal.h"
#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr const char* kTitle = "Export the model";

/// The parts of a refusal that a list has room for.
std::string reason_of(ErrorParts refusal) {
  refusal.where.clear();
  refusal.hint.clear();
  refusal.code = ErrorCode::Failed;
  return to_text(refusal);
}

/// A form: its name and what opens it left, yes or no right, and below a no its reason and the next step.
void draw_target(const ExportTarget& target, UiState& ui) {
  ImGui::PushID(target.name.c_str());
  const bool fits = !target.refusal.has_value();
  const bool is_chosen = fits && ui.export_form.form == target.name;
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::BeginDisabled(!fits);
  if (ImGui::RadioButton(target.title.c_str(), is_chosen)) ui.export_form.form = target.name;
  ImGui::EndDisabled();
  ImGui::TableNextColumn();
  ImGui::AlignTextToFramePadding();
  ImGui::PushStyleColor(ImGuiCol_Text, fits ? colors().good : colors().error);
  ImGui::TextUnformatted(fits ? "Yes" : "No");
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::AlignTextToFramePadding();
  ImGui::PushTextWrapPos(0);
  if (fits) {
    ImGui::TextUnformatted(target.about.c_str());
  } else {
    ImGui::TextUnformatted(reason_of(*target.refusal).c_str());
    caption(("Next: " + target.refusal->hint).c_str());
  }
  ImGui::PopTextWrapPos();
  ImGui::PopID();
}

void draw_targets(const ModelInfo& model, UiState& ui) {
  const float height = std::min(px(360), ImGui::GetMainViewport()->WorkSize.y - px(320));
  const ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_BordersInnerH;
  if (!ImGui::BeginTable("targets", 3, flags, {0, height})) return;
  ImGui::TableSetupColumn("form", ImGuiTableColumnFlags_WidthFixed, px(270));
  ImGui::TableSetupColumn("fits", ImGuiTableColumnFlags_WidthFixed, px(36));
  ImGui::TableSetupColumn("why");
  for (const ExportTarget& target : model.export_targets) draw_target(target, ui);
  ImGui::EndTable();
}

void draw_running(const JobView& job, Commands& commands) {
  const Progress& progress = job.progress;
  const float share =
      progress.total > 0 ? static_cast<float>(progress.done) / static_cast<float>(progress.total) : 0.0F;
  ImGui::TextUnformatted(job.waiting ? "Waits for the job before it" : progress.stage.c_str());
  thin_bar(share, colors().accent, 6);
  if (ImGui::Button("Cancel export")) commands.cancel(job.id);
}

/// What was read back from the disk after writing.
void draw_result(const Exported& exported) {
  std::int64_t bytes = 0;
  for (const ExportedFile& file : exported.files) bytes += file.bytes;
  ImGui::PushStyleColor(ImGuiCol_Text, colors().good);
  ImGui::TextUnformatted("Exported and verified");
  ImGui::PopStyleColor();
  clipped_text(exported.path.c_str());
  caption(text(exported.files.size(), " files, ", format_bytes(bytes).c_str(),
               ". Read back from the disk: ", exported.tensors, " tensors compared, logits differ by at most ",
               format_value(exported.logit_difference).c_str(), " over ", exported.tokens, " tokens; measured.")
              .c_str());
  if (quiet_button("Copy path")) ImGui::SetClipboardText(exported.path.c_str());
}

void draw_state(ActionContext context) {
  const JobView* job = find_job(context.session, context.ui.export_job);
  if (job == nullptr) return;
  ImGui::Dummy({0, px(4)});
  if (!job->has_ended()) return draw_running(*job, context.commands);
  if (job->outcome == JobOutcome::Cancelled) return caption("Cancelled: nothing was written.");
  if (job->outcome == JobOutcome::Failed) return error_card(job->error);
  if (context.session.exported) draw_result(*context.session.exported);
}

void draw_dtype(UiState& ui) {
  constexpr std::array<const char*, 4> kNames = {"auto", "f32", "bf16", "f16"};
  const auto found = std::ranges::find(kNames, ui.export_form.dtype);
  int chosen = found == kNames.end() ? 0 : static_cast<int>(found - kNames.begin());
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted("Type in the files");
  ImGui::SameLine(px(150));
  if (segmented("dtype", {"As in memory", "f32", "bf16", "f16"}, chosen))
    ui.export_form.dtype = kNames[static_cast<std::size_t>(chosen)];
}

void draw_buttons(ActionContext context) {
  ImGui::Dummy({0, px(4)});
  const char* why_not = why_not_export(context);
  ImGui::BeginDisabled(why_not != nullptr);
  const bool choose = primary_button("Choose a folder\u2026");
  ImGui::EndDisabled();
  ImGui::SameLine();
  const bool close = ImGui::Button("Close");
  if (why_not != nullptr) {
    ImGui::SameLine(0, px(12));
    ImGui::AlignTextToFramePadding();
    clipped_text(why_not);
  }
  if (choose)
    context.commands.ask(
        AskPath{PathFor::ExportModel, /*from_dialog=*/true});  // this dialog comes back with the answer
  if (choose || close) {
    context.ui.dialog = Dialog::None;
    ImGui::CloseCurrentPopup();
  }
}

}  // namespace

void draw_export_dialog(ActionContext context) {
  UiState& ui = context.ui;
  if (ui.dialog != Dialog::Export || !begin_modal(kTitle, ui, 860)) return;
  if (!context.session.model) {
    ui.dialog = Dialog::None;
    ImGui::CloseCurrentPopup();
    return ImGui::EndPopup();
  }
  draw_targets(*context.session.model, ui);
  draw_dtype(ui);
  draw_state(context);
  draw_buttons(context);
  ImGui::EndPopup();
}

}  // namespace lathe
