// Prints what a frame of each workspace costs the CPU, without a renderer, with a long run on screen.
//   lathe_views_bench [STEPS]
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/support/sample_session.h"
#include "views/shell.h"

namespace lathe {
namespace {

void release_textures() {
  for (ImTextureData* texture : ImGui::GetPlatformIO().Textures) {
    if (texture->Status == ImTextureStatus_WantCreate) texture->SetTexID(1);
    texture->SetStatus(texture->Status == ImTextureStatus_WantDestroy ? ImTextureStatus_Destroyed : ImTextureStatus_OK);
  }
}

double frame_ms(Shell& shell, const Session& session, UiState& ui, Commands& commands) {
  const auto start = std::chrono::steady_clock::now();
  ImGui::NewFrame();
  shell.draw(session, ui, commands);
  ImGui::Render();
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  release_textures();
  commands.take_posted();
  return spent.count();
}

void measure(Workspace workspace, Session session) {
  Shell shell;
  UiState ui;
  Commands commands;
  ui.settings.workspace = workspace;
  std::vector<double> times;
  for (int i = 0; i < 120; ++i) {
    const double ms = frame_ms(shell, session, ui, commands);
    if (i >= 20) times.push_back(ms);
  }
  std::ranges::sort(times);
  std::printf("%-9s  median %.2f ms  p95 %.2f ms  vertices %d\n", name_of(workspace), times[times.size() / 2],
              times[times.size() * 95 / 100], ImGui::GetDrawData()->TotalVtxCount);
}

}  // namespace
}  // namespace lathe

int main(int count, char** arguments) {
  const long steps = count > 1 ? std::atol(arguments[1]) : 10'000;
  const lathe::Session session = lathe::trained_session(steps, /*running=*/true);
  for (int i = 0; i < lathe::kNumWorkspaces; ++i) {
    ImGui::CreateContext();
    ImPlot::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.DisplaySize = {2560, 1440};
    io.DeltaTime = 1.0F / 60.0F;
    io.ConfigFlags |= ImGuiConfigFlags_DockingEnable;
    io.BackendFlags |= ImGuiBackendFlags_RendererHasTextures | ImGuiBackendFlags_RendererHasVtxOffset;
    lathe::measure(static_cast<lathe::Workspace>(i), session);
    ImPlot::DestroyContext();
    ImGui::DestroyContext();
  }
}
