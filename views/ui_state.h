#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/data/generate_settings.h"
#include "model/data/session.h"
#include "model/data/sizes.h"
#include "model/data/train_settings.h"
#include "views/commands.h"
#include "views/plan_editor.h"
#include "views/theme.h"

namespace lathe {

enum class Workspace { Design, Train, Generate, Inspect };
inline constexpr int kNumWorkspaces = 4;
const char* name_of(Workspace workspace);

enum class BoardBar { Params, KvBytes };
enum class AttentionScale { Linear, Log, Uniform };

/// Which parts of the loss are drawn beside it.
struct LossParts {
  bool next_token = true, kl = true, balance = true, lr = false;

  bool operator==(const LossParts&) const = default;
};

/// A model that was opened, so that it opens the same way again.
struct RecentModel {
  std::string path;         ///< absolute, or "default" or "tiny"
  std::string config = {};  ///< as OpenModel's, absolute

  bool operator==(const RecentModel&) const = default;
};

/// What the user chose and wants again the next time.
struct Settings {
  Theme theme = Theme::Dark;
  float scale = 1.0F;  ///< 0.75 to 2
  Workspace workspace = Workspace::Design;
  std::vector<RecentModel> recent;  ///< newest first
  bool tour_seen = false;
  BoardBar board_bar = BoardBar::Params;
  float smoothing = 0.0F;  ///< of curves, weight of the past in [0, 1)
  bool log_loss = false;
  LossParts loss_parts;
  AttentionScale attention_scale = AttentionScale::Log;

  bool operator==(const Settings&) const = default;
};
nlohmann::json settings_to_json(const Settings& settings);
/// Takes what it understands and leaves the rest at its default: an old or damaged file costs no start.
Settings settings_from_json(const nlohmann::json& json);

/// The board's cells that keys and the inspector act on.
struct Selection {
  std::set<Cell> cells;
  std::optional<Cell> anchor;  ///< where Shift extends from
  std::optional<Cell> cursor;  ///< where arrows start

  bool contains(Cell cell) const { return cells.contains(cell); }
  void only(Cell cell);
  void toggle(Cell cell);
  /// From the anchor to `cell`, layers and parts alike.
  void extend(Cell cell);
  void clear() { *this = Selection(); }
};

/// What the plan would make of the model that is open: exact arithmetic on sizes, kept until one of them changes.
struct Prediction {
  std::int64_t plan_version = 0;
  std::string path, sha256;  ///< of the model of which it was made
  std::vector<std::string> problems;
  Sizes before, after;
  std::optional<ModelConfig> config;  ///< absent if the plan is impossible
};

/// One sentence about the last action, in the status bar: for some seconds, an error until the next action or a click.
struct Notice {
  std::string text;
  bool is_error = false;
  double since = -1.0;   ///< ImGui::GetTime() when it was first drawn; negative: not yet
  std::size_t jobs = 0;  ///< that there were then: a new one takes its place
};

enum class Dialog { None, Palette, Shortcuts, About, ConfirmQuit, ConfirmOpen, Preferences, Open, Export };

/// What the Open dialog was told.
struct OpenForm {
  std::string path;             ///< in the field
  std::string config;           ///< in the field; empty: the one beside the weights
  PreviewModel asked;           ///< of which a preview was asked for last; its path is empty: none
  std::string device = "auto";  ///< as OpenModel's
  std::string dtype = "auto";   ///< as OpenModel's

  /// A preview was asked for since a field changed.
  bool is_asked() const { return path == asked.path && config == asked.config; }
  bool is_answered_by(const ModelPreview& preview) const {
    return preview.path == asked.path && preview.config_path == asked.config;
  }
  OpenModel command() const { return {.path = asked.path, .device = device, .dtype = dtype, .config = asked.config}; }
};

/// What the Export dialog was told.
struct ExportForm {
  std::string form = "hf";     ///< as ExportModel's
  std::string dtype = "auto";  ///< as ExportModel's
};

/// What the tensor view shows.
struct TensorChoice {
  std::string name;       ///< empty: none
  bool original = false;  ///< of the resident original
  bool extremes = false;  ///< a cell shows its value that is farthest from 0 instead of the mean
};

/// State of the views that is not the session: plain data, only the UI thread touches it.
struct UiState {
  Settings settings;
  std::vector<Recipe> recipes;  ///< what the window found
  PlanEditor plan;
  Selection selection;
  Prediction prediction;

  Dialog dialog = Dialog::None;
  std::string palette_query;
  int palette_choice = 0;
  int tour_step = -1;  ///< -1: no tour
  bool reset_layout = false;
  Notice notice;
  const char* focus_view = nullptr;    ///< id of a view whose tab comes to the front, once
  std::optional<Recipe> waiting_plan;  ///< loaded while no model was open: the plan of the next one
  std::set<JobId> dismissed;           ///< failed jobs whose message was read

  std::int64_t layer = 0, head = 0;  ///< chosen in the attention view
  std::string attention_prompt;      ///< empty: what was last written
  std::int64_t router_layer = -1;    ///< -1: the first MoE layer
  std::int64_t router_expert = -1;   ///< highlighted; -1: none
  std::int64_t latent_layer = -1;    ///< -1: the first MLA layer
  bool watch_latent = false;
  TensorChoice tensor;

  TrainSettings train;
  GenerateSettings generate = {.prompt = "Once upon a time", .stop = {}};
  bool compare = true;  ///< also write with the original
  bool tint_tokens = true;

  JobId open_job = 0, convert_job = 0, train_job = 0, generate_job = 0, original_job = 0;
  JobId undo_job = 0, redo_job = 0, evaluate_job = 0, export_job = 0;
  RecentModel opening;  ///< what open_job opens, as it was asked for
  OpenModel open_next;  ///< what ConfirmOpen asks about
  OpenForm open;
  ExportForm export_form;
  std::string model;  ///< which the selection and the plan belong to

  float display_scale = 1.0F;  ///< of the monitor; the window sets it
  double frame_ms = 0.0;       ///< CPU time of the last frame's views; the window sets it
};

/// Brings the UI state up to date with the session at the start of a frame: a new model clears the plan, a finished
/// conversion empties it, an undone one brings it back.
void follow(const Session& session, UiState& ui);

/// Shows the sentence in the status bar, instead of what was there.
void tell(UiState& ui, std::string sentence);
void tell_error(UiState& ui, std::string sentence);

/// The job with this id, or null.
const JobView* find_job(const Session& session, JobId id);
/// True from posting until the job ended.
bool is_pending(const Session& session, JobId id);

}  // namespace lathe
