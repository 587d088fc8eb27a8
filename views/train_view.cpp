#include "views/train_view.h"

#include <algorithm>

#include "views/actions.h"
#include "views/widgets.h"

namespace lathe {
namespace {

std::int64_t router_params(const ModelConfig& config, const FeedForwardConfig& moe) {
  return moe.num_experts * config.hidden_size + (moe.shared_expert_gate ? config.hidden_size : 0);
}

/// What of an MoE block learns by gradient; the correction bias of sigmoid routers moves by its own rule.
std::int64_t moe_params(const ModelConfig& config, const FeedForwardConfig& moe) {
  return feed_forward_params(config, moe) - (moe.router == RouterKind::Sigmoid ? moe.num_experts : 0);
}

std::int64_t layer_params(const ModelConfig& config, const LayerConfig& layer, Trainable trainable) {
  const bool mla = layer.attention.kind == AttentionKind::Mla;
  const bool moe = layer.feed_forward.kind == FeedForwardKind::Moe;
  const std::int64_t attention = mla ? attention_params(config, layer.attention) : 0;
  const std::int64_t routers = moe ? router_params(config, layer.feed_forward) : 0;
  const std::int64_t experts = moe ? moe_params(config, layer.feed_forward) - routers : 0;
  switch (trainable) {
    case Trainable::Converted:
      return attention + routers + experts;
    case Trainable::Routers:
      return routers;
    case Trainable::Experts:
      return experts;
    case Trainable::Attention:
      return attention;
    case Trainable::All:
      return 0;
  }
  return 0;
}

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
  text_input("##text", settings.text, "the text that ships with Lathe");
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

void draw_run(TrainSettings& settings) {
  constexpr std::int64_t kMany = 1'000'000'000;
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
  real_row("KL to original", settings.kl_weight, "%.3g",
           "Weight of KL(original || model) per token, against the resident original");
  int_row("Held-out every", settings.eval_every, 0, kMany, "Steps between held-out losses; 0: before and after only");
}

void draw_start(const Session& session, UiState& ui, Commands& commands) {
  const JobView* job = find_job(session, ui.train_job);
  if (job != nullptr && job->running) {
    if (ImGui::Button("Stop", {-1, px(32)})) commands.cancel(job->id);
    explain("Stops after the step that runs; the weights of before the run come back");
    return;
  }
  const Action* start = find_action("train.start");
  ActionContext context{session, ui, commands};
  ImGui::BeginDisabled(!start->enabled(context));
  if (primary_button("Start healing", {-1, px(32)})) start->run(context);
  ImGui::EndDisabled();
}

}  // namespace

std::int64_t trainable_params(const ModelConfig& config, Trainable trainable) {
  if (trainable == Trainable::All) {
    std::int64_t params = sizes_of(config).params;
    for (const LayerConfig& layer : config.layers)
      if (layer.feed_forward.kind == FeedForwardKind::Moe)
        params -= feed_forward_params(config, layer.feed_forward) - moe_params(config, layer.feed_forward);
    return params;
  }
  std::int64_t params = 0;
  for (const LayerConfig& layer : config.layers) params += layer_params(config, layer, trainable);
  return params;
}

void TrainView::draw(const Session& session, UiState& ui, Commands& commands) {
  draw_what(session, ui.train, commands);
  const bool nothing = session.model && trainable_params(session.model->config, ui.train.trainable) == 0;
  if (nothing) warning("The model has none of these weights yet; convert some layers first, or train everything");
  for (const std::string& sentence : train_problems(ui.train)) problem(sentence.c_str());
  const float button = px(32) + ImGui::GetStyle().ItemSpacing.y;
  if (ImGui::BeginChild("settings", {0, -button})) draw_run(ui.train);
  ImGui::EndChild();
  draw_start(session, ui, commands);
}

}  // namespace lathe
