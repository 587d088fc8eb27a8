#include "views/train_view.h"

#include "views/actions.h"
#include "views/reasons.h"
#include "views/trainable.h"
#include "views/widgets.h"

namespace lathe {
namespace {

void draw_what(const Session& session, TrainSettings& settings, Commands& commands) {
  ImGui::AlignTextToFramePadding();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted("Weights");
  ImGui::PopStyleColor();
  ImGui::SameLine(px(80));
  ImGui::SetNextItemWidth(-1);
  const char* names[] = {"Converted layers", "Routers only", "Experts only", "MLA only", "Everything"};
  int chosen = static_cast<int>(settings.trainable);
  if (ImGui::Combo("##trainable", &chosen, names, 5)) settings.trainable = static_cast<Trainable>(chosen);
  explain("What is frozen costs no gradient or optimiser memory");
  ImGui::AlignTextToFramePadding();
  ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
  ImGui::TextUnformatted("Text");
  ImGui::PopStyleColor();
  ImGui::SameLine(px(80));
  ImGui::SetNextItemWidth(-px(40));
  text_input("##text", settings.text, "Lathe's own text");
  ImGui::SameLine(0, px(4));
  if (ImGui::Button("\u2026##text file", {-1, 0})) commands.ask(AskPath{PathFor::TrainingText});
  if (!session.model) return;
  const std::int64_t trained = trainable_params(session.model->config, settings.trainable);
  const std::int64_t tokens = settings.seq_len * settings.batch * settings.accumulate;
  value_row("Trainable", format_count(trained).c_str(),
            "Exact, by arithmetic on the configuration: weights that get a gradient");
  value_row("Gradient and moments", format_bytes(trained * 16).c_str(),
            "Estimated: 4 bytes each for the f32 weight, its gradient and AdamW's two moments");
  value_row("Tokens per step", format_count(tokens).c_str(), "sequence length x batch x accumulation");
}

constexpr std::int64_t kMany = 1'000'000'000;

/// The teacher of the KL loss is the resident original; without one the field has no effect to offer.
void draw_kl(const Session& session, TrainSettings& settings) {
  const bool can = !session.model || original_is_resident(*session.model);
  ImGui::BeginDisabled(!can);
  real_row("KL to original", settings.kl_weight, "%.3g",
           "Weight of KL(original || model) per token, against the resident original");
  ImGui::EndDisabled();
  if (!can) caption("This model was already converted when it was opened: its original is not in memory.");
}

void draw_run(const Session& session, TrainSettings& settings) {
  heading("Run");
  int_row("Steps", settings.steps, 1, kMany, "Optimiser steps");
  int_row("Sequence", settings.seq_len, 2, 1 << 20, "Tokens of each sequence");
  int_row("Batch", settings.batch, 1, 1 << 16, "Sequences of each micro-batch");
  int_row("Accumulate", settings.accumulate, 1, 1 << 16, "Micro-batches whose gradients are added before a step");
  heading("Optimiser");
  real_row("Learning rate", settings.lr, "%.2e", "Of AdamW, after warm-up; then a cosine");
  int_row("Warm-up", settings.warmup_steps, 0, kMany, "Steps in which the rate grows from 0");
  real_row("Weight decay", settings.weight_decay, "%.3g", "AdamW: w -= lr x decay x w");
  real_row("Clip", settings.max_grad_norm, "%.3g", "Largest gradient norm; 0 turns clipping off");
  heading("Loss");
  real_row("Balance", settings.balance_weight, "%.3g",
           "Weight of the router balance loss E x sum(f_i P_i), 1 at perfect balance, mean over MoE layers");
  draw_kl(session, settings);
  int_row("Held-out every", settings.eval_every, 0, kMany, "Steps between held-out losses; 0: before and after only");
}

void draw_start(const Session& session, UiState& ui, Commands& commands) {
  const JobView* job = find_job(session, ui.train_job);
  if (job != nullptr && job->running) {
    if (ImGui::Button("Stop", {-1, px(32)})) commands.cancel(job->id);
    explain("Stops after the step that runs; the weights of before the run come back");
    return;
  }
  const ActionContext context{session, ui, commands};
  const char* why_not = why_not_train(context);
  ImGui::BeginDisabled(why_not != nullptr);
  if (primary_button("Start healing", {-1, px(32)})) run_action("train.start", context);
  ImGui::EndDisabled();
  explain(why_not != nullptr ? why_not : "Train the chosen weights; Undo takes the run back (F5)");
}

}  // namespace

void TrainView::draw(const Session& session, UiState& ui, Commands& commands) {
  draw_what(session, ui.train, commands);
  const bool nothing = session.model && trainable_params(session.model->config, ui.train.trainable) == 0;
  if (nothing) warning("The model has none of these weights yet; convert some layers first, or train everything");
  for (const std::string& sentence : train_problems(ui.train)) problem(sentence.c_str());
  const float button = px(32) + ImGui::GetStyle().ItemSpacing.y;
  if (ImGui::BeginChild("settings", {0, -button})) draw_run(session, ui.train);
  ImGui::EndChild();
  draw_start(session, ui, commands);
}

}  // namespace lathe
