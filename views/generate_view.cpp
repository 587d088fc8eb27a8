#include "views/generate_view.h"

#include <algorithm>
#include <optional>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/reasons.h"
#include "views/widgets.h"
#include "views/writing_panel.h"

namespace lathe {
namespace {

bool has_writing(const Writing& writing) { return !writing.tokens.empty() || writing.result.has_value(); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    if (end > start) lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

/// Ctrl+Enter in the prompt's field, or anywhere else in this window: there it must not reach Convert.
bool wants_to_write() {
  constexpr ImGuiKeyChord kChord = static_cast<int>(ImGuiMod_Ctrl) | static_cast<int>(ImGuiKey_Enter);
  const bool in_field = ImGui::IsItemFocused() && ImGui::IsKeyChordPressed(kChord);
  return ImGui::Shortcut(kChord, ImGuiInputFlags_RouteFocused) || in_field;
}

void draw_write_button(ActionContext context, ImVec2 size) {
  if (is_writing(context.session, context.ui)) {
    if (ImGui::Button("Stop", size)) stop_writing(context);
    return;
  }
  const char* why_not = why_not_write(context);
  ImGui::BeginDisabled(why_not != nullptr);
  if (primary_button("Write", size)) run_action("generate.write", context);
  ImGui::EndDisabled();
  explain(why_not != nullptr ? why_not : "Write on from the prompt (Ctrl+Enter in this panel, or F6)");
}

/// How far the two writings of `length` tokens agree; without a second one, what the colours mean.
void draw_agreement(std::optional<std::size_t> differs, std::size_t length) {
  // Export stands at the right end of the line.
  const float wrap = ImGui::GetCursorPosX() + ImGui::GetContentRegionAvail().x - px(88);
  if (!differs) return caption("Measured: the background shows surprise, \u2212log\u2082 p of each token.", wrap);
  caption(format(*differs < length ? "Both agree for %zu tokens; the first that differs is underlined."
                                   : "Both agree on all of the first %zu tokens.",
                 *differs)
              .c_str(),
          wrap);
}

}  // namespace

std::size_t first_difference(const Writing& a, const Writing& b) {
  const std::size_t shared = std::min(a.tokens.size(), b.tokens.size());
  for (std::size_t i = 0; i < shared; ++i)
    if (a.tokens[i].token.id != b.tokens[i].token.id) return i;
  return shared;
}

void GenerateView::draw(const Session& session, UiState& ui, Commands& commands) {
  if (!session.model) {
    if (empty_state("Open a model and write with it: here its text streams in, token by token.", "Open the tiny model"))
      open_model({session, ui, commands}, "tiny");
    return;
  }
  draw_prompt(session, ui, commands);
  draw_columns(session, ui, commands);
}

void GenerateView::draw_prompt(const Session& session, UiState& ui, Commands& commands) {
  ActionContext context{session, ui, commands};
  const float buttons = px(104);
  const float height = ImGui::GetTextLineHeight() * 3 + px(10);
  const float width = ImGui::GetContentRegionAvail().x - buttons - ImGui::GetStyle().ItemSpacing.x;
  text_area("##prompt", ui.generate.prompt, {width, height});
  if (wants_to_write() && !is_writing(session, ui)) run_action("generate.write", context);
  ImGui::SameLine();
  ImGui::BeginGroup();
  draw_write_button(context, {buttons, px(32)});
  ImGui::BeginDisabled(!session.model->has_chat_template);
  ImGui::Checkbox("as chat", &ui.generate.chat);
  ImGui::EndDisabled();
  explain(session.model->has_chat_template ? "Wrap the prompt in the model's chat template"
                                           : "This model has no chat template");
  ImGui::EndGroup();
  for (const std::string& sentence : generate_problems(ui.generate)) problem(sentence.c_str());
}

void GenerateView::draw_columns(const Session& session, UiState& ui, Commands& commands) {
  const Writing& now = session.writing;
  const Writing& original = session.writing_original;
  if (!has_writing(now) && !has_writing(original)) {
    if (is_pending(session, ui.generate_job)) {
      const JobView* running = session.running_job();
      const bool waits = running != nullptr && running->id != ui.generate_job;
      empty_state(waits ? "Waiting for the job that runs; it can be cancelled below." : "Reading the prompt\u2026");
    } else {
      empty_state(
          "Type a prompt and press Write. The text streams in here; hover a token for its probability and what "
          "else it could have been.");
    }
    return;
  }
  const bool both = has_writing(original) && original.prompt == now.prompt;
  const std::size_t differs = both ? first_difference(now, original) : now.tokens.size();
  const float footer = ImGui::GetFrameHeightWithSpacing();
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  const float height = std::max(px(120), space.y - footer);
  const float width = both ? (space.x - px(8)) / 2 : space.x;
  if (ImGui::BeginChild("now", {width, height}, ImGuiChildFlags_Borders))
    draw_writing(session.model->differs_from_original ? "Converted model" : session.model->name.c_str(), now, ui,
                 differs);
  ImGui::EndChild();
  if (both) {
    ImGui::SameLine(0, px(8));
    if (ImGui::BeginChild("original", {0, height}, ImGuiChildFlags_Borders))
      draw_writing("Original", original, ui, differs);
    ImGui::EndChild();
  }
  ImGui::AlignTextToFramePadding();
  draw_agreement(both ? std::optional(differs) : std::nullopt, std::min(now.tokens.size(), original.tokens.size()));
  ImGui::SameLine();
  export_button("writing export");
  export_menu("writing export", {low.x, low.y, space.x, height},
              {"writing", [&] { return writing_csv(now, both ? &original : nullptr); }}, commands);
}

void SamplingView::draw(const Session& session, UiState& ui, Commands&) {
  GenerateSettings& settings = ui.generate;
  constexpr std::int64_t kMany = 1 << 20;
  int_row("New tokens", settings.max_new_tokens, 1, kMany, "At most");
  real_row("Temperature", settings.temperature, "%.3g", "0 takes the most probable token each time");
  const bool greedy = settings.temperature <= 0.0;
  ImGui::BeginDisabled(greedy);
  int_row("Top k", settings.top_k, 0, kMany, "Only the k most probable tokens; 0: off");
  real_row("Top p", settings.top_p, "%.3g", "Only the most probable tokens that sum to p; 1: off");
  real_row("Min p", settings.min_p, "%.3g", "Only tokens with at least this share of the best one's probability");
  auto seed = static_cast<std::int64_t>(settings.seed);
  if (int_row("Seed", seed, 0, INT64_MAX, "The same seed writes the same text"))
    settings.seed = static_cast<std::uint64_t>(seed);
  ImGui::EndDisabled();
  if (greedy) caption("Temperature 0 is greedy: the fields above have no effect.");
  real_row("Repetition", settings.repetition_penalty, "%.3g", "Divides the logits of tokens already there; 1: off");
  heading("Stop at");
  if (text_area("##stop", stop_, {-1, ImGui::GetTextLineHeight() * 2.6F})) settings.stop = lines_of(stop_);
  explain("Text at which writing ends, one a line");
  heading("Show");
  ImGui::Checkbox("surprise of each token", &ui.tint_tokens);
  const bool can_compare = session.model && session.model->differs_from_original;
  ImGui::BeginDisabled(!can_compare);
  ImGui::Checkbox("the original beside it", &ui.compare);
  ImGui::EndDisabled();
  if (!can_compare) caption("There is nothing to compare yet: the model is as it was opened.");
}

}  // namespace lathe
