#include "app/frame_cost.h"

#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "views/shell.h"

namespace lathe {
namespace {

constexpr int kSteps = 10'000;
constexpr int kRouters = 6;
constexpr int kExperts = 8;
constexpr int kWarmUpFrames = 60;
constexpr int kFrames = 240;

/// A load for the stopwatch: no one sees it.
Session long_training(const ModelConfig& config) {
  Session session;
  ModelInfo info;
  info.name = "bench";
  info.config = config;
  reduce(session, Event{.job = 1, .what = ModelChanged{info}});
  reduce(session, Event{.job = 2, .what = JobStarted{"Train"}});
  for (int i = 1; i <= kSteps; ++i) {
    TrainStep step;
    step.step = i;
    step.steps = kSteps;
    step.loss = 3.0F + std::sin(static_cast<float>(i) * 0.37F) / std::sqrt(static_cast<float>(i));
    step.next_token = step.loss;
    for (int router = 0; router < kRouters; ++router) {
      RouterLoad load{.layer = router * config.num_layers() / kRouters, .load = std::vector<float>(kExperts)};
      for (int expert = 0; expert < kExperts; ++expert) {
        load.load[static_cast<std::size_t>(expert)] =
            (1.0F + 0.3F * std::sin(static_cast<float>(i + expert))) / kExperts;
      }
      step.routers.push_back(std::move(load));
    }
    reduce(session, Event{.job = 2, .what = std::move(step)});
  }
  return session;
}

/// Takes textures as a renderer would, and draws nothing.
void acknowledge_textures() {
  for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) {
    if (texture->Status == ImTextureStatus_WantCreate || texture->Status == ImTextureStatus_WantUpdates) {
      texture->SetTexID(1);
      texture->SetStatus(ImTextureStatus_OK);
    } else if (texture->Status == ImTextureStatus_WantDestroy) {
      texture->SetTexID(ImTextureID_Invalid);
      texture->SetStatus(ImTextureStatus_Destroyed);
    }
  }
}

struct NullScreen {
  NullScreen() {
    ImGui::CreateContext();
    ImPlot::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DisplaySize = {1280.0F, 800.0F};
    io.ConfigFlags |= ImGuiConfigFlags_DockingEnable;
    io.BackendFlags |= ImGuiBackendFlags_RendererHasTextures | ImGuiBackendFlags_RendererHasVtxOffset;
  }
  ~NullScreen() {
    for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) texture->SetStatus(ImTextureStatus_Destroyed);
    ImPlot::DestroyContext();
    ImGui::DestroyContext();
  }
};

std::vector<double> frame_times(Shell& shell, const Session& session, UiState& ui) {
  std::vector<double> times;
  Commands commands;
  for (int frame = 0; frame < kWarmUpFrames + kFrames; ++frame) {
    const auto start = std::chrono::steady_clock::now();
    ImGui::GetIO().DeltaTime = 1.0F / 60.0F;
    ImGui::NewFrame();
    shell.draw(session, ui, commands);
    ImGui::Render();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    acknowledge_textures();
    if (frame >= kWarmUpFrames) times.push_back(taken.count());
  }
  std::ranges::sort(times);
  return times;
}

}  // namespace

nlohmann::json measure_frame_cost(const ModelConfig& config) {
  const Session session = long_training(config);
  const NullScreen screen;
  nlohmann::json figures = nlohmann::json::array();
  Shell shell;
  UiState ui;
  ui.settings.tour_seen = true;
  for (const Workspace workspace : {Workspace::Design, Workspace::Train, Workspace::Generate, Workspace::Inspect}) {
    ui.settings.workspace = workspace;
    const auto times = frame_times(shell, session, ui);
    figures.push_back({{"workspace", name_of(workspace)},
                       {"median_ms", times[times.size() / 2]},
                       {"p95_ms", times[times.size() * 95 / 100]}});
  }
  return figures;
}

}  // namespace lathe
