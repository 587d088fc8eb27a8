#include "app/studio.h"

#include <imgui.h>
#include <imgui_internal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "app/assets.h"
#include "app/preview_engine.h"
#include "app/settings_file.h"
#include "app/torch_engine.h"
#include "converters/recipes.h"
#include "model/io/atomic_file.h"
#include "model/io/json_file.h"
#include "views/actions.h"

namespace lathe {
namespace {

constexpr double kScriptSeconds = 0.05;      // a script watches; the engine needs the processor more
constexpr int kFramesAfterInput = 3;         // hover and layout settle over a few frames
constexpr double kSecondsAfterInput = 0.7;   // a tooltip opens when the pointer has rested for half a second
constexpr double kIdleSeconds = 0.5;         // between looks at what only the cursor needs
constexpr double kRestSeconds = 1.0 / 30.0;  // between frames in which nothing but a tooltip may appear

/// Since this process began, the loading of its libraries included. Source: proc_pid_stat(5), field 22.
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  std::string fields;
  std::getline(file, fields);
  std::istringstream rest(fields.substr(fields.rfind(')') + 1));  // the program's name may hold anything
  std::string skipped;
  for (int field = 3; field < 22; ++field) rest >> skipped;
  double began = 0.0;  // clock ticks after boot
  rest >> began;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         began / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

Studio::Studio(const StudioOptions& options)
    : options_(options),
      window_({.title = "Lathe", .width = options.width, .height = options.height}),
      previewer_(make_preview_engine, &Window::wake),
      worker_([threads = options.threads] { return make_torch_engine({.threads = threads}); }, &Window::wake) {
  ui_.settings = load_settings();
  saved_settings_ = ui_.settings;
  const std::string layout = load_layout();
  if (!layout.empty()) ImGui::LoadIniSettingsFromMemory(layout.data(), layout.size());
  for (const std::string& missing : load_fonts(kFontFolders)) session_.log.push_back({LogLevel::Warning, missing});
  or_notice([this] { ui_.recipes = list_recipes(assets_folder() / "recipes"); });
  if (!options.script.empty()) script_ = Script::read(options.script);
  if (!options.model.empty()) {
    open_model({session_, ui_, commands_}, OpenModel{.path = options.model, .config = options.config});
  }
  if (!ui_.settings.tour_seen && options.script.empty() && options.model.empty()) ui_.tour_step = 0;
}

void Studio::run() {
  while (!quit_) {
    if (window_.wait(seconds_to_sleep())) {
      frames_to_draw_ = kFramesAfterInput;
      last_input_ = Clock::now();
    }
    if (!wants_frame()) continue;
    frames_to_draw_ = std::max(0, frames_to_draw_ - 1);
    frame();
  }
  or_notice([this] { keep_settings(); });
}

bool Studio::wants_frame() const {
  return seconds_to_sleep() < kIdleSeconds || ImGui::GetIO().WantTextInput;  // the cursor blinks
}

double Studio::seconds_to_sleep() const {
  // Dear ImGui hands on one press or release a frame: keys that came at once wait for the next ones.
  if (frames_to_draw_ > 0 || !ImGui::GetCurrentContext()->InputEventsQueue.empty()) return 0.0;
  if (script_) return kScriptSeconds;
  if (wants_frames(session_, ui_, commands_) || dialogs_.is_open()) return 1.0 / 60.0;
  const std::chrono::duration<double> rested = Clock::now() - last_input_;
  return rested.count() < kSecondsAfterInput ? kRestSeconds : kIdleSeconds;
}

void Studio::frame() {
  take_news();
  take_dropped();
  ui_.display_scale = window_.display_scale();
  window_.begin_frame();
  const auto start = Clock::now();
  if (script_) script_->play({session_, ui_, commands_});
  shell_.draw(session_, ui_, commands_);
  dialogs_.draw();
  ui_.frame_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  window_.render();
  save_screenshot();
  do_requests();
  window_.present();
  if (!std::exchange(on_screen_, true)) tell_when_on_screen();
  post_commands();
  quit_if_asked();
  or_notice([this] { keep_settings(); });
}

void Studio::tell_when_on_screen() {
  const std::string line = text("On screen ", std::round(100 * seconds_since_start()) / 100, " s after the start");
  session_.log.push_back({LogLevel::Info, line});
  if (script_) std::fprintf(stderr, "%s\n", line.c_str());
}

void Studio::take_news() {
  for (Worker* worker : {&worker_, &previewer_}) {
    for (const Event& event : worker->events()) reduce(session_, event);
    for (const Snapshot& picture : worker->pictures()) reduce(session_, picture);
  }
}

void Studio::post_commands() {
  for (Command& command : commands_.take_posted()) {
    if (auto* open = std::get_if<OpenModel>(&command.what)) {
      if (open->device == "auto") open->device = options_.device;
      if (open->dtype == "auto") open->dtype = options_.dtype;
    }
    reduce(session_, command);
    const bool is_preview = std::holds_alternative<PreviewModel>(command.what);
    if (std::holds_alternative<CancelJob>(command.what)) previewer_.post(command);
    (is_preview ? previewer_ : worker_).post(std::move(command));
  }
}

void Studio::take_dropped() {
  for (const std::string& path : window_.take_dropped_paths()) {
    const DroppedPath dropped = dropped_path(path);
    take_path(dropped.purpose, dropped.path);
  }
}

void Studio::take_path(PathFor purpose, const std::string& path) {
  const ActionContext context{session_, ui_, commands_};
  switch (purpose) {
    case PathFor::OpenModelFile:
    case PathFor::OpenModelFolder:
      return ask_preview(context, path);
    case PathFor::OpenModelConfig:
      return ask_preview(context, ui_.open.path, path);
    case PathFor::OpenPlan:
      return or_notice([&] {
        load_recipe(context, {std::filesystem::path(path).stem().string(), path, load_plan(path, "")});
      });
    case PathFor::SaveModel:
      commands_.post(SaveModel{path});
      return;
    case PathFor::ExportModel:
      return export_to(context, path);
    case PathFor::TrainingText:
      ui_.train.text = path;
      return;
    case PathFor::CalibrationText: {
      ConversionPlan plan = ui_.plan.plan();
      plan.calibration.text = path;
      return ui_.plan.edit("Calibration text", std::move(plan));
    }
  }
}

void Studio::take_no_path(const AskPath& asked) {
  if (asked.from_dialog) ui_.dialog = asked.purpose == PathFor::ExportModel ? Dialog::Export : Dialog::Open;
}

void Studio::do_requests() {
  for (Request& request : commands_.take_requests()) {
    or_notice([&] {
      if (const auto* ask = std::get_if<AskPath>(&request)) {
        dialogs_.ask(
            ask->purpose, [this, asked = *ask](const std::string& path) { take_path(asked.purpose, path); },
            [this, asked = *ask] { take_no_path(asked); });
      } else if (auto* save = std::get_if<SaveFile>(&request)) {
        dialogs_.ask_save(save->suggestion, [this, content = std::move(save->content)](const std::string& path) {
          or_notice([&] { write_file(path, content); });
        });
      } else if (const auto* picture = std::get_if<SavePicture>(&request)) {
        save_picture(*picture);
      } else {
        quit_ = true;
      }
    });
  }
}

void Studio::save_picture(const SavePicture& request) {
  Picture picture = window_.read_pixels(request.rect);
  if (request.to_clipboard) return copy_picture(picture);
  dialogs_.ask_save(request.suggestion, [this, picture = std::move(picture)](const std::string& path) {
    or_notice([&] { write_file(path, png_of(picture)); });
  });
}

void Studio::save_screenshot() {
  const std::string path = script_ ? script_->take_screenshot() : std::string();
  if (!path.empty()) write_file(path, png_of(window_.read_pixels(window_.whole())));
  if (script_ && script_->is_done()) quit_ = true;
}

void Studio::keep_settings() {
  if (!(ui_.settings == saved_settings_)) {
    saved_settings_ = ui_.settings;  // before writing: where that fails, it is not tried again every frame
    save_settings(ui_.settings);
  }
  if (ImGuiIO& io = ImGui::GetIO(); std::exchange(io.WantSaveIniSettings, false)) {
    save_layout(ImGui::SaveIniSettingsToMemory());
  }
}

void Studio::quit_if_asked() {
  if (!window_.close_requested()) return;
  window_.refuse_close();
  run_action("app.quit", {session_, ui_, commands_});
}

template <typename What>
void Studio::or_notice(What what) {
  try {
    what();
  } catch (const std::exception& error) {
    tell_error(ui_, error.what());
  }
}

}  // namespace lathe
