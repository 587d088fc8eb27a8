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

/// Where it is; where there is no room for all, without the stage's name.
void draw_state(const JobView& job) {
  const Progress& progress = job.progress;
  if (!job.running || progress.total <= 0) return fitting_text({state_of(job).c_str()});
  const ShortText done = amount(progress.done, progress.unit);
  const ShortText total = amount(progress.total, progress.unit);
  fitting_text({state_of(job).c_str(), format("%s / %s", done.c_str(), total.c_str()).c_str()});
}

/// Speed and time left; where there is no room for both, the time.
void draw_speed(const StageSpeed& speed, const std::string& unit) {
  const double per_second = speed.units_per_second();
  if (per_second <= 0.0) return;
  const ShortText text = speed_text(per_second, unit);
  const double left = speed.seconds_left();
  if (left < 0.0) return fitting_text({text.c_str()});
  const ShortText time = format("%s left", format_seconds(left).c_str());
  fitting_text({format("%s, %s", text.c_str(), time.c_str()).c_str(), time.c_str()});
}

void draw_job(const JobView& job, const StageSpeed& speed, Commands& commands) {
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
  draw_state(job);
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  if (job.running) draw_speed(speed, job.progress.unit);
  ImGui::PopStyleColor();
  ImGui::TableNextColumn();
  ImGui::PushID(static_cast<int>(job.id));
  if (!job.has_ended() && ImGui::SmallButton("Cancel")) commands.cancel(job.id);
  ImGui::PopID();
}

}  // namespace

void JobsView::follow(const Session& session) {
  std::erase_if(speeds_, [&](const auto& entry) {
    const JobView* job = find_job(session, entry.first);
    return job == nullptr || !job->running;
  });
  for (const JobView& job : session.jobs)
    if (job.running) speeds_[job.id].follow(job);
}

void JobsView::draw(const Session& session, UiState&, Commands& commands) {
  if (session.jobs.empty()) {
    empty_state("No job has run yet. Opening, converting, training and writing appear here with progress and Cancel.");
    return;
  }
  follow(session);
  if (!ImGui::BeginTable("jobs", 5, ImGuiTableFlags_ScrollY)) return;
  const bool is_narrow = ImGui::GetContentRegionAvail().x < px(460);
  ImGui::TableSetupColumn("title", ImGuiTableColumnFlags_WidthStretch, 1.8F);
  ImGui::TableSetupColumn("bar", ImGuiTableColumnFlags_WidthStretch | (is_narrow ? ImGuiTableColumnFlags_Disabled : 0),
                          0.6F);
  ImGui::TableSetupColumn("state", ImGuiTableColumnFlags_WidthStretch, 1.4F);
  ImGui::TableSetupColumn("speed", ImGuiTableColumnFlags_WidthStretch, 1.2F);
  ImGui::TableSetupColumn("cancel", ImGuiTableColumnFlags_WidthFixed, px(64));
  const auto count = static_cast<int>(session.jobs.size());
  ImGuiListClipper clipper;
  clipper.Begin(count);
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      const JobView& job = session.jobs[static_cast<std::size_t>(count - 1 - i)];
      const auto speed = speeds_.find(job.id);
      draw_job(job, speed == speeds_.end() ? StageSpeed() : speed->second, commands);
    }
  }
  ImGui::EndTable();
}

}  // namespace lathe
