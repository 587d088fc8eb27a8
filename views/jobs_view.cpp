#include "views/jobs_view.h"

#include <algorithm>

#include "views/widgets.h"

namespace lathe {
namespace {

float fraction_of(const JobView& job) {
  if (job.has_ended()) return job.outcome == JobOutcome::Done ? 1.0F : 0.0F;
  return job.progress.total > 0 ? static_cast<float>(job.progress.done) / static_cast<float>(job.progress.total) : 0.0F;
}

const ImVec4& tint_of(const JobView& job) {
  if (!job.has_ended()) return colors().accent;
  if (job.outcome == JobOutcome::Done) return colors().good;
  return job.outcome == JobOutcome::Failed ? colors().error : colors().faint;
}

ShortText amount(std::int64_t value, const std::string& unit) {
  return unit == "bytes" ? format_bytes(value) : format_count(value);
}

ShortText state_of(const JobView& job) {
  if (job.waiting) return format("%s", "waits");
  if (job.has_ended()) {
    const char* ends[] = {"done in", "cancelled after", "failed after"};
    return format("%s %s", ends[static_cast<int>(job.outcome)], format_seconds(job.seconds).c_str());
  }
  const Progress& progress = job.progress;
  if (progress.total <= 0) return format("%s", progress.stage.c_str());
  const ShortText done = amount(progress.done, progress.unit);
  const ShortText total = amount(progress.total, progress.unit);
  return format("%s  %s / %s %s", progress.stage.c_str(), done.c_str(), total.c_str(),
                progress.unit == "bytes" ? "" : progress.unit.c_str());
}

ShortText speed_of(const JobView& job) {
  const Progress& progress = job.progress;
  if (!job.running || job.seconds <= 0 || progress.done <= 0) return format("%s", "");
  const double speed = static_cast<double>(progress.done) / job.seconds;
  const double left = seconds_left(job);
  const ShortText time = left >= 0 ? format_seconds(left) : format("%s", "");
  if (progress.unit == "bytes")
    return format("%s/s, %s left", format_bytes(static_cast<std::int64_t>(speed)).c_str(), time.c_str());
  return format("%s %s/s, %s left", format_value(speed).c_str(), progress.unit.c_str(), time.c_str());
}

void draw_job(const JobView& job, Commands& commands) {
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::AlignTextToFramePadding();
  clipped_text(job.title.c_str());
  if (!job.message.empty()) explain(job.message.c_str());
  ImGui::TableNextColumn();
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() + (ImGui::GetFrameHeight() - px(6)) / 2);
  thin_bar(fraction_of(job), tint_of(job), 6);
  ImGui::TableNextColumn();
  ImGui::AlignTextToFramePadding();
  ImGui::PushStyleColor(ImGuiCol_Text, job.running ? colors().text : colors().dim);
  clipped_text(state_of(job).c_str());
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  clipped_text(speed_of(job).c_str());
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::PushID(static_cast<int>(job.id));
  if (!job.has_ended() && ImGui::SmallButton("Cancel")) commands.cancel(job.id);
  ImGui::PopID();
}

}  // namespace

double seconds_left(const JobView& job) {
  const Progress& progress = job.progress;
  if (progress.done <= 0 || progress.total <= 0 || job.seconds <= 0) return -1;
  return job.seconds * static_cast<double>(progress.total - progress.done) / static_cast<double>(progress.done);
}

void JobsView::draw(const Session& session, UiState&, Commands& commands) {
  if (session.jobs.empty()) {
    empty_state("No job has run yet. Opening, converting, training and writing appear here with progress and Cancel.");
    return;
  }
  if (!ImGui::BeginTable("jobs", 5, ImGuiTableFlags_ScrollY)) return;
  ImGui::TableSetupColumn("title", ImGuiTableColumnFlags_WidthStretch, 1.4F);
  ImGui::TableSetupColumn("bar", ImGuiTableColumnFlags_WidthStretch, 0.6F);
  ImGui::TableSetupColumn("state", ImGuiTableColumnFlags_WidthStretch, 1.4F);
  ImGui::TableSetupColumn("speed", ImGuiTableColumnFlags_WidthStretch, 1.2F);
  ImGui::TableSetupColumn("cancel", ImGuiTableColumnFlags_WidthFixed, px(64));
  const auto count = static_cast<int>(session.jobs.size());
  ImGuiListClipper clipper;
  clipper.Begin(count);
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i)
      draw_job(session.jobs[static_cast<std::size_t>(count - 1 - i)], commands);
  }
  ImGui::EndTable();
}

}  // namespace lathe
