// Draws every workspace with sample sessions into PNG files: for eyes, not for a verdict.
//   lathe_view_pictures FOLDER [WIDTH HEIGHT SCALE]
#include <imgui.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "app/offscreen.h"
#include "tests/support/sample_session.h"
#include "views/shell.h"

namespace lathe {
namespace {

struct Scene {
  const char* name;
  std::function<Session()> session;
  std::function<void(UiState&)> arrange;
};

void plan_some(UiState& ui) {
  ui.plan.edit("Load recipe sample", sample_plan());
  ui.selection.only({8, LayerPart::Attention});
}

constexpr const char* kPreviewed = "/models/Llama-3.1-8B";

Session previewed(bool refused) {
  Session session;
  reduce(session, Snapshot{std::make_shared<const ModelPreview>(sample_preview(kPreviewed, refused))});
  return session;
}

void show_open(UiState& ui) {
  ui.settings.recent = {{kPreviewed}, {"tiny"}, {"/no/such/model.gguf"}};
  ui.dialog = Dialog::Open;
  ui.open.path = ui.open.asked.path = kPreviewed;
}

const Scene kScenes[] = {
    {"empty", empty_session, [](UiState&) {}},
    {"design", [] { return opened_session(); }, plan_some},
    {"converting", [] { return converting_session(6); }, plan_some},
    {"converted", converted_session,
     [](UiState& ui) {
       ui.selection.only({12, LayerPart::Attention});
     }},
    {"train", [] { return trained_session(2000, true); },
     [](UiState& ui) { ui.settings.workspace = Workspace::Train, ui.train_job = 3; }},
    {"generate", full_session, [](UiState& ui) { ui.settings.workspace = Workspace::Generate; }},
    {"inspect", full_session, [](UiState& ui) { ui.settings.workspace = Workspace::Inspect; }},
    {"receipt", full_session, [](UiState& ui) { ui.focus_view = "receipt"; }},
    {"latent", full_session, [](UiState& ui) { ui.watch_latent = true, ui.focus_view = "latent"; }},
    {"load", [] { return trained_session(2000, true); },
     [](UiState& ui) { ui.settings.workspace = Workspace::Train, ui.focus_view = "router"; }},
    {"router", full_session, [](UiState& ui) { ui.settings.workspace = Workspace::Inspect, ui.focus_view = "router"; }},
    {"log", full_session, [](UiState& ui) { ui.focus_view = "log"; }},
    {"train-none", [] { return opened_session(); }, [](UiState& ui) { ui.settings.workspace = Workspace::Train; }},
    {"keys", [] { return opened_session(); }, [](UiState& ui) { ui.dialog = Dialog::Shortcuts; }},
    {"preferences", [] { return opened_session(); }, [](UiState& ui) { ui.dialog = Dialog::Preferences; }},
    {"failed", failed_session, [](UiState& ui) { ui.settings.workspace = Workspace::Train; }},
    {"layers126", [] { return opened_session(126); }, plan_some},
    {"palette", [] { return opened_session(); },
     [](UiState& ui) { ui.dialog = Dialog::Palette, ui.palette_query = "con"; }},
    {"open", [] { return previewed(false); }, show_open},
    {"open-refused", [] { return previewed(true); }, show_open},
    {"open-empty", empty_session,
     [](UiState& ui) {
       ui.dialog = Dialog::Open;
       ui.settings.recent = {
           {"/models/Llama-3.1-8B"}, {"tiny"}, {"/no/such/model-with-a-rather-long-name-Q4_K_M.gguf"}};
     }},
    {"export",
     [] {
       Session session = opened_session();
       session.model->export_targets = sample_export_targets();
       return session;
     },
     [](UiState& ui) { ui.dialog = Dialog::Export; }},
    {"tensors", tensor_session,
     [](UiState& ui) {
       ui.settings.workspace = Workspace::Inspect, ui.focus_view = "tensor";
       ui.tensor.name = "model.layers.0.self_attn.q_proj.weight";
     }},
    {"tensors-none", tensor_session,
     [](UiState& ui) { ui.settings.workspace = Workspace::Inspect, ui.focus_view = "tensor"; }},
    {"tour", empty_session, [](UiState& ui) { ui.tour_step = 0; }},
};

void draw_scene(const Scene& scene, Theme theme, int width, int height, float scale, const std::string& folder) {
  Offscreen offscreen(width, height);
  const std::string fonts[] = {"/usr/share/fonts", "/usr/local/share/fonts"};
  load_fonts(fonts);
  Shell shell;
  UiState ui;
  Commands commands;
  ui.settings.theme = theme;
  ui.settings.scale = scale;
  const Session session = scene.session();
  for (int frame = 0; frame < 8; ++frame) {
    offscreen.begin_frame();
    shell.draw(session, ui, commands);
    if (frame == 1 || frame == 3) scene.arrange(ui);  // again when the windows of its workspace are there
    offscreen.render();
  }
  const char* theme_name = theme == Theme::Dark ? "dark" : "light";
  const std::string path = folder + "/" + scene.name + "-" + theme_name + "-" + std::to_string(width) + ".png";
  std::ofstream(path, std::ios::binary) << png_of(offscreen.read_all());
  std::printf("%s\n", path.c_str());
}

}  // namespace
}  // namespace lathe

int main(int count, char** arguments) {
  const std::string folder = count > 1 ? arguments[1] : "pictures";
  const int width = count > 2 ? std::atoi(arguments[2]) : 1280;
  const int height = count > 3 ? std::atoi(arguments[3]) : 800;
  const float scale = count > 4 ? static_cast<float>(std::atof(arguments[4])) : 1.0F;
  const std::string only = count > 5 ? arguments[5] : "";
  std::filesystem::create_directories(folder);
  for (const lathe::Scene& scene : lathe::kScenes) {
    if (!only.empty() && only.find(scene.name) == std::string::npos) continue;
    for (const lathe::Theme theme : {lathe::Theme::Dark, lathe::Theme::Light}) {
      if (theme == lathe::Theme::Light && only.find("+light") == std::string::npos && !only.empty()) continue;
      lathe::draw_scene(scene, theme, width, height, scale, folder);
    }
  }
}
