#include "views/ui_state.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ranges>
#include <utility>

#include "views/format.h"
#include "views/reasons.h"

namespace lathe {
namespace {

constexpr std::size_t kMaxRecent = 12;

template <typename T>
void take(const nlohmann::json& json, const char* key, T& value) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  try {
    value = found->template get<T>();
  } catch (const nlohmann::json::exception&) {  // a setting of another type keeps its default
  }
}

template <typename E>
void take_enum(const nlohmann::json& json, const char* key, E& value, int count) {
  int number = static_cast<int>(value);
  take(json, key, number);
  if (number >= 0 && number < count) value = static_cast<E>(number);
}

void take_recent(const nlohmann::json& json, std::vector<RecentModel>& recent) {
  const auto models = json.find("recent");
  if (models == json.end() || !models->is_array()) return;
  for (const nlohmann::json& one : *models) {
    RecentModel model;
    take(one, "path", model.path);
    take(one, "config", model.config);
    if (!model.path.empty()) recent.push_back(std::move(model));
  }
}

/// The model is opened again from wherever the program starts next, so that a relative path would be lost.
std::string absolute_path(const std::string& path) {
  if (path.empty() || path == "default" || path == "tiny") return path;
  return std::filesystem::absolute(path).lexically_normal().string();
}

void remember(std::vector<RecentModel>& recent, const RecentModel& opened) {
  if (opened.path.empty()) return;
  const RecentModel model{absolute_path(opened.path), absolute_path(opened.config)};
  std::erase_if(recent, [&](const RecentModel& one) { return one.path == model.path; });
  recent.insert(recent.begin(), model);
  if (recent.size() > kMaxRecent) recent.resize(kMaxRecent);
}

bool finished(const Session& session, JobId& job) {
  const JobView* view = find_job(session, job);
  if (view == nullptr || !view->has_ended()) return false;
  const bool done = view->outcome == JobOutcome::Done;
  job = 0;
  return done;
}

/// What was chosen for another model means nothing to this one, or would fail with it every time.
void start_over(const Session& session, UiState& ui) {
  ui.plan.reset();
  ui.selection.clear();
  ui.layer = ui.head = 0;
  ui.router_layer = ui.router_expert = ui.latent_layer = -1;
  ui.tensor = {};
  ui.export_form = {};
  ui.export_job = 0;
  if (!session.model) return;
  if (!session.model->has_chat_template) ui.generate.chat = false;
  if (!original_is_resident(*session.model)) ui.train.kl_weight = 0.0;
}

void follow_model(const Session& session, UiState& ui) {
  const std::string_view path = session.model ? std::string_view(session.model->path) : std::string_view();
  if (path == ui.model) return;
  ui.model = path;
  start_over(session, ui);
}

void take_waiting_plan(UiState& ui) {
  if (!ui.waiting_plan) return;
  ui.plan.edit("Load recipe " + ui.waiting_plan->name, std::move(ui.waiting_plan->plan));
  tell(ui, "Recipe " + ui.waiting_plan->name + " is the plan now");
  ui.waiting_plan.reset();
}

/// The attention view starts at what a conversion made, unless it looks at such a layer already.
void look_at_latents(const ModelConfig& config, UiState& ui) {
  const auto is_mla = [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; };
  const auto first = std::ranges::find_if(config.layers, is_mla);
  const bool looks = ui.layer < config.num_layers() && is_mla(config.layers[static_cast<std::size_t>(ui.layer)]);
  if (!looks && first != config.layers.end()) ui.layer = first - config.layers.begin();
}

void follow_jobs(const Session& session, UiState& ui) {
  if (finished(session, ui.open_job)) {
    remember(ui.settings.recent, ui.opening);
    start_over(session, ui);
    if (session.model) tell(ui, session.model->name + " is open");
    take_waiting_plan(ui);
  }
  if (!session.model) return;
  const ModelConfig& config = session.model->config;
  if (finished(session, ui.convert_job)) {
    ui.plan.applied(config);
    ui.focus_view = "receipt";
    look_at_latents(config, ui);
  }
  if (finished(session, ui.undo_job)) ui.plan.restore(config);
  if (finished(session, ui.redo_job)) ui.plan.applied(config);
  if (finished(session, ui.evaluate_job) && session.evaluated) {
    const Evaluated& measured = *session.evaluated;
    tell(ui, format("Held-out loss %s nats per token, perplexity %s", format_value(measured.nll).c_str(),
                    format_value(measured.ppl).c_str())
                 .c_str());
  }
}

void predict(const Session& session, UiState& ui) {
  if (!session.model) {
    ui.prediction = {};
    return;
  }
  Prediction& prediction = ui.prediction;
  const ModelInfo& model = *session.model;
  if (prediction.plan_version == ui.plan.version() && prediction.path == model.path &&
      prediction.sha256 == model.sha256)
    return;
  prediction = {.plan_version = ui.plan.version(),
                .path = model.path,
                .sha256 = model.sha256,
                .problems = {},
                .before = sizes_of(model.config),
                .after = sizes_of(model.config),
                .config = std::nullopt};
  prediction.problems = plan_problems(ui.plan.plan(), model.config);
  if (!prediction.problems.empty()) return;
  prediction.config = planned_config(ui.plan.plan(), model.config);
  prediction.after = sizes_of(*prediction.config);
}

}  // namespace

const char* name_of(Workspace workspace) {
  constexpr const char* names[kNumWorkspaces] = {"Design", "Train", "Generate", "Inspect"};
  return names[static_cast<int>(workspace)];
}

void Selection::only(Cell cell) {
  cells = {cell};
  anchor = cursor = cell;
}

void Selection::toggle(Cell cell) {
  if (cells.erase(cell) == 0) cells.insert(cell);
  anchor = cursor = cell;
}

void Selection::extend(Cell cell) {
  const Cell from = anchor.value_or(cell);
  cells.clear();
  const auto [first, last] = std::minmax(from.layer, cell.layer);
  for (std::int64_t layer = first; layer <= last; ++layer) {
    cells.insert({layer, from.part});
    cells.insert({layer, cell.part});
  }
  anchor = from;
  cursor = cell;
}

nlohmann::json settings_to_json(const Settings& settings) {
  nlohmann::json recent = nlohmann::json::array();
  for (const auto& [path, config] : settings.recent) recent.push_back({{"path", path}, {"config", config}});
  return {{"version", 1},
          {"theme", static_cast<int>(settings.theme)},
          {"scale", settings.scale},
          {"workspace", static_cast<int>(settings.workspace)},
          {"recent", std::move(recent)},
          {"tour_seen", settings.tour_seen},
          {"board_bar", static_cast<int>(settings.board_bar)},
          {"smoothing", settings.smoothing},
          {"log_loss", settings.log_loss},
          {"loss_parts",
           {{"next_token", settings.loss_parts.next_token},
            {"kl", settings.loss_parts.kl},
            {"balance", settings.loss_parts.balance},
            {"lr", settings.loss_parts.lr}}},
          {"attention_scale", static_cast<int>(settings.attention_scale)}};
}

Settings settings_from_json(const nlohmann::json& json) {
  Settings settings;
  if (!json.is_object()) return settings;
  take_enum(json, "theme", settings.theme, 2);
  take(json, "scale", settings.scale);
  take_enum(json, "workspace", settings.workspace, kNumWorkspaces);
  take_recent(json, settings.recent);
  take(json, "tour_seen", settings.tour_seen);
  take_enum(json, "board_bar", settings.board_bar, 2);
  take(json, "smoothing", settings.smoothing);
  take(json, "log_loss", settings.log_loss);
  if (const auto parts = json.find("loss_parts"); parts != json.end() && parts->is_object()) {
    take(*parts, "next_token", settings.loss_parts.next_token);
    take(*parts, "kl", settings.loss_parts.kl);
    take(*parts, "balance", settings.loss_parts.balance);
    take(*parts, "lr", settings.loss_parts.lr);
  }
  take_enum(json, "attention_scale", settings.attention_scale, 3);
  settings.scale = std::isfinite(settings.scale) ? std::clamp(settings.scale, 0.75F, 2.0F) : 1.0F;
  settings.smoothing = std::isfinite(settings.smoothing) ? std::clamp(settings.smoothing, 0.0F, 0.99F) : 0.0F;
  return settings;
}

void follow(const Session& session, UiState& ui) {
  follow_model(session, ui);
  follow_jobs(session, ui);
  predict(session, ui);
}

void tell(UiState& ui, std::string sentence) { ui.notice = {.text = std::move(sentence)}; }
void tell_error(UiState& ui, std::string sentence) { ui.notice = {.text = std::move(sentence), .is_error = true}; }

const JobView* find_job(const Session& session, JobId id) {
  if (id == 0) return nullptr;
  // The newest jobs are asked for most.
  const auto found =
      std::find_if(session.jobs.rbegin(), session.jobs.rend(), [id](const JobView& job) { return job.id == id; });
  return found == session.jobs.rend() ? nullptr : &*found;
}

bool is_pending(const Session& session, JobId id) {
  if (id == 0) return false;
  const JobView* job = find_job(session, id);
  return job == nullptr || !job->has_ended();
}

}  // namespace lathe
