#include <imgui_internal.h>

#include "views/bars.h"
#include "views/widgets.h"

namespace lathe {
namespace {

void part(const char* text, const ImVec4& tint, const char* tooltip) {
  ImGui::PushStyleColor(ImGuiCol_Text, tint);
  ImGui::TextUnformatted(text);
  ImGui::PopStyleColor();
  explain(tooltip);
  ImGui::SameLine(0, px(20));
}

constexpr double kNoticeSeconds = 8.0;

/// The sentence about the last action; an error until it is clicked, all else until it is old or a job begins.
void draw_notice(const Session& session, Notice& notice) {
  if (notice.text.empty()) return;
  if (notice.since < 0) {
    notice.since = ImGui::GetTime();
    notice.jobs = session.jobs.size();
  }
  const bool is_old = !notice.is_error && ImGui::GetTime() - notice.since > kNoticeSeconds;
  if (is_old || session.jobs.size() > notice.jobs) {
    notice = {};
    return;
  }
  part(notice.text.c_str(), notice.is_error ? colors().error : colors().text,
       notice.is_error ? "What went wrong; click to dismiss" : "The last action");
  if (ImGui::IsItemClicked()) notice = {};
}

void draw_right(const Session& session, const UiState& ui) {
  const TrainCurves& train = session.train;
  const JobView* training = find_job(session, ui.train_job);
  ShortText step = format("%s", "");
  ShortText speed = format("%s", "");
  if (!train.loss.empty()) step = format("step %zu / %lld", train.loss.size(), static_cast<long long>(train.steps));
  if (training != nullptr && training->running && !train.tokens_per_second.empty()) {
    speed = format("%.0f tok/s training", static_cast<double>(train.tokens_per_second.back()));
  } else if (session.writing.result) {
    speed = format("%.1f tok/s writing", session.writing.result->tokens_per_second);
  }
  const ShortText cost = format("views %.1f ms", ui.frame_ms);
  const float gap = px(20);
  float width = ImGui::CalcTextSize(cost.c_str()).x;
  for (const ShortText* text : {&step, &speed})
    if (!text->view().empty()) width += ImGui::CalcTextSize(text->c_str()).x + gap;
  const float x = ImGui::GetWindowWidth() - width - px(12);
  if (x > ImGui::GetCursorPosX()) ImGui::SetCursorPosX(x);
  if (!step.view().empty()) part(step.c_str(), colors().dim, "Steps of the last training run");
  if (!speed.view().empty()) part(speed.c_str(), colors().dim, "Measured by the engine");
  part(cost.c_str(), colors().faint, "CPU time of the last frame's views, measured");
}

}  // namespace

void draw_status_bar(const Session& session, UiState& ui) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(12), px(4)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowMinSize, {1, 1});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colors().background);
  if (ImGui::BeginViewportSideBar("status bar", ImGui::GetMainViewport(), ImGuiDir_Down, px(26),
                                  ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoSavedSettings |
                                      ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_NoNavFocus)) {
    ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 0.87F);
    if (session.model) part(session.model->device.c_str(), colors().dim, "Where the engine computes");
    if (session.memory.host_bytes > 0)
      part(format("memory %s", format_bytes(session.memory.host_bytes).c_str()).c_str(), colors().dim,
           "Memory of the process, sampled about once a second");
    if (session.memory.device_bytes > 0)
      part(format("device %s", format_bytes(session.memory.device_bytes).c_str()).c_str(), colors().dim,
           "Memory on the device, sampled about once a second");
    draw_notice(session, ui.notice);
    draw_right(session, ui);
    ImGui::PopFont();
  }
  ImGui::End();
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(4);
}

}  // namespace lathe
