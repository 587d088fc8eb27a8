#include <imgui_internal.h>

#include <algorithm>

#include "views/bars.h"
#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr float kConvertWidth = 112.0F;
constexpr float kBarWidth = 184.0F;

/// Two lines: a small name above a value. Where the line has no room for it, it is left out.
void figure(const char* name, const char* value, const ImVec4& tint, const char* tooltip) {
  const float width = std::max(ImGui::CalcTextSize(name).x * 0.8F, ImGui::CalcTextSize(value).x);
  if (width > ImGui::GetContentRegionAvail().x) return;
  ImGui::BeginGroup();
  const float y = px(8);
  ImGui::SetCursorPosY(y);
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 0.8F);
  ImGui::PushStyleColor(ImGuiCol_Text, colors().faint);
  ImGui::TextUnformatted(name);
  ImGui::PopStyleColor();
  ImGui::PopFont();
  ImGui::SetCursorPosY(y + px(15));
  ImGui::PushStyleColor(ImGuiCol_Text, tint);
  ImGui::TextUnformatted(value);
  ImGui::PopStyleColor();
  ImGui::EndGroup();
  explain(tooltip);
  ImGui::SameLine(0, px(28));
}

void tool(const char* label, const char* id, ActionContext context) {
  const Action* action = find_action(id);
  ImGui::BeginDisabled(!action->enabled(context));
  const std::string tip = std::string(action->title) + "  " + key_text(action->key);
  if (quiet_button(label, tip.c_str())) run(*action, context);
  ImGui::EndDisabled();
  ImGui::SameLine(0, px(2));
}

void draw_plan(const UiState& ui, const ModelInfo& model) {
  const ConversionPlan& plan = ui.plan.plan();
  const Prediction& prediction = ui.prediction;
  const auto mla = static_cast<long long>(plan.num_mla());
  const auto moe = static_cast<long long>(plan.num_moe());
  figure("Plan", format("%lld MLA, %lld MoE", mla, moe).c_str(), colors().text,
         "What Convert would do. Paint on the layer board to change it.");
  if (!prediction.problems.empty()) {
    const ShortText count = format("%zu to solve", prediction.problems.size());
    figure("Problems", count.c_str(), colors().error, prediction.problems.front().c_str());
    return;
  }
  const Sizes& before = prediction.before;
  const Sizes& after = prediction.after;
  const auto change = [](std::int64_t from, std::int64_t to) {
    return format_change(static_cast<double>(from), static_cast<double>(to));
  };
  figure("Parameters", change(before.params, after.params).c_str(), colors().text,
         format("Exact: %s now, %s after", format_count(before.params).c_str(), format_count(after.params).c_str())
             .c_str());
  figure("Active", change(before.active_params, after.active_params).c_str(), colors().text,
         format("Exact: what one token passes through, %s now, %s after", format_count(before.active_params).c_str(),
                format_count(after.active_params).c_str())
             .c_str());
  const std::int64_t bytes = model.bytes_per_value;
  figure("KV cache", change(before.kv_values_per_token, after.kv_values_per_token).c_str(),
         after.kv_values_per_token < before.kv_values_per_token ? colors().good : colors().text,
         format("Exact: %s per token now, %s after", format_bytes(before.kv_values_per_token * bytes).c_str(),
                format_bytes(after.kv_values_per_token * bytes).c_str())
             .c_str());
}

/// The loss after healing, beside the original's on the same text where that is known.
void draw_healing(const Receipt& receipt, const Healing& healing) {
  const ShortText converted = format("%+.3f", receipt.nll_after - receipt.nll_before);
  if (!healing.nll_original) {
    figure("Loss after healing", format("%.3f measured", healing.nll).c_str(), colors().text,
           format("Nats per token on held-out text of the training, after %lld steps. The original was not in memory; "
                  "the conversion alone cost %s on its own held-out text.",
                  static_cast<long long>(healing.steps), converted.c_str())
               .c_str());
    return;
  }
  const double loss = healing.nll - *healing.nll_original;
  figure("\u0394loss after healing", format("%+.3f measured", loss).c_str(),
         loss > 0.05 ? colors().warning : colors().text,
         format("Measured on held-out text of the training: %.4f original, %.4f after %lld steps, nats per token. The "
                "conversion alone cost %s on its own held-out text.",
                *healing.nll_original, healing.nll, static_cast<long long>(healing.steps), converted.c_str())
             .c_str());
}

/// What the last conversion did, from its receipt.
void draw_receipt(const Receipt& receipt) {
  figure("Converted",
         format("%lld MLA, %lld MoE", static_cast<long long>(receipt.plan.num_mla()),
                static_cast<long long>(receipt.plan.num_moe()))
             .c_str(),
         colors().text, "The last conversion of this model");
  const auto change = [](std::int64_t from, std::int64_t to) {
    return format_change(static_cast<double>(from), static_cast<double>(to));
  };
  figure("Parameters", change(receipt.sizes_before.params, receipt.sizes_after.params).c_str(), colors().text,
         "Exact, against the model before the conversion");
  figure("KV cache", change(receipt.sizes_before.kv_values_per_token, receipt.sizes_after.kv_values_per_token).c_str(),
         colors().good, "Exact, cached numbers per token against the model before the conversion");
  if (receipt.healing) return draw_healing(receipt, *receipt.healing);
  const double loss = receipt.nll_after - receipt.nll_before;
  figure("\u0394loss", format("%+.3f measured", loss).c_str(), loss > 0.05 ? colors().warning : colors().text,
         format("Measured on %lld held-out tokens: %.4f before, %.4f after, nats per token",
                static_cast<long long>(receipt.eval_tokens), receipt.nll_before, receipt.nll_after)
             .c_str());
}

void draw_summary(const Session& session, const UiState& ui) {
  if (!session.model) {
    ImGui::SetCursorPosY((ImGui::GetWindowHeight() - ImGui::GetTextLineHeight()) / 2);
    ImGui::PushStyleColor(ImGuiCol_Text, colors().faint);
    ImGui::TextUnformatted(is_pending(session, ui.open_job) ? "Opening\u2026" : "No model is open");
    ImGui::PopStyleColor();
    ImGui::SameLine();
  } else if (!ui.plan.plan().empty()) {
    draw_plan(ui, *session.model);
  } else if (session.receipt && session.model->differs_from_original) {
    draw_receipt(*session.receipt);
  } else {
    const Sizes& now = ui.prediction.before;
    figure("Parameters", format_count(now.params).c_str(), colors().text, "Exact, embeddings and norms included");
    figure("KV cache",
           format("%s / token", format_bytes(now.kv_values_per_token * session.model->bytes_per_value).c_str()).c_str(),
           colors().text, "Exact: cached numbers per token times the bytes of the cache's type");
    figure("Plan", "nothing planned", colors().faint, "Select layers on the board and press M or E, or load a recipe");
  }
}

/// The figures end before what stands at the right, `right` wide.
void draw_figures(const ActionContext& context, float right) {
  const float width = std::max(1.0F, ImGui::GetContentRegionAvail().x - right - px(16));
  ImGui::SetCursorPosY(0);
  if (ImGui::BeginChild("figures", {width, ImGui::GetWindowHeight()}, ImGuiChildFlags_None,
                        ImGuiWindowFlags_NoNav | ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse))
    draw_summary(context.session, context.ui);
  ImGui::EndChild();
}

void draw_convert(ActionContext context) {
  const char* why_not = why_not_convert(context);
  const float width = px(kConvertWidth);
  ImGui::SetCursorPos({ImGui::GetWindowWidth() - width - px(12), (ImGui::GetWindowHeight() - px(30)) / 2});
  ImGui::BeginDisabled(why_not != nullptr);
  if (primary_button("Convert", {width, px(30)})) run_action("plan.convert", context);
  ImGui::EndDisabled();
  explain(why_not != nullptr ? why_not : "Carry out the plan, layer by layer (Ctrl+Enter). Undo takes it back.");
}

float cancel_width() { return ImGui::CalcTextSize("Cancel").x + 2 * px(14); }
float running_width() { return cancel_width() + px(kBarWidth + 12); }

void draw_running(const JobView& job, Commands& commands) {
  const float fraction =
      job.progress.total > 0 ? static_cast<float>(job.progress.done) / static_cast<float>(job.progress.total) : 0.0F;
  const float cancel = cancel_width();
  const float bar = px(kBarWidth);
  ImGui::SetCursorPosX(ImGui::GetWindowWidth() - cancel - bar - px(24));
  ImGui::BeginGroup();
  ImGui::SetCursorPosY(px(9));
  const ShortText percent = format("%.0f %%", 100.0 * static_cast<double>(fraction));
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float title = bar - ImGui::CalcTextSize(percent.c_str()).x - px(8);
  ImGui::RenderTextEllipsis(ImGui::GetWindowDrawList(), at, {at.x + title, at.y + ImGui::GetTextLineHeight()},
                            at.x + title, job.title.c_str(), nullptr, /*text_size_if_known=*/nullptr);
  ImGui::GetWindowDrawList()->AddText({at.x + title + px(8), at.y}, color(colors().dim), percent.c_str());
  ImDrawList* list = ImGui::GetWindowDrawList();
  const float y = at.y + ImGui::GetTextLineHeight() + px(4);
  list->AddRectFilled({at.x, y}, {at.x + bar, y + px(4)}, color(colors().field), px(2));
  list->AddRectFilled({at.x, y}, {at.x + bar * std::clamp(fraction, 0.0F, 1.0F), y + px(4)}, color(colors().accent),
                      px(2));
  ImGui::EndGroup();
  ImGui::SetCursorPos({ImGui::GetWindowWidth() - cancel - px(12), (ImGui::GetWindowHeight() - px(28)) / 2});
  if (ImGui::Button("Cancel", {cancel, px(28)})) commands.cancel(job.id);
}

}  // namespace

void draw_top_bar(ActionContext context) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(12), px(6)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowMinSize, {1, 1});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colors().panel);
  if (ImGui::BeginViewportSideBar("top bar", ImGui::GetMainViewport(), ImGuiDir_Up, px(48),
                                  ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoSavedSettings |
                                      ImGuiWindowFlags_NoDocking | ImGuiWindowFlags_NoNavFocus)) {
    ImGui::SetCursorPosY((ImGui::GetWindowHeight() - ImGui::GetFrameHeight()) / 2);
    tool("\u21a9", "edit.undo", context);
    tool("\u21aa", "edit.redo", context);
    ImGui::SameLine(0, px(20));
    const JobView* job = context.session.running_job();
    draw_figures(context, job != nullptr ? running_width() : px(kConvertWidth));
    if (job != nullptr) {
      draw_running(*job, context.commands);
    } else {
      draw_convert(context);
    }
  }
  ImGui::End();
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(4);
}

}  // namespace lathe
