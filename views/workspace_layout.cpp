#include "views/workspace_layout.h"

#include <imgui_internal.h>

#include <algorithm>
#include <array>
#include <set>

#include "views/theme.h"

namespace lathe {
namespace {

// Part of every window's id: a layout saved by an older arrangement of views is left alone instead of half used.
constexpr int kLayoutVersion = 1;

ImGuiID dockspace_id(Workspace workspace) {
  return ImHashStr(format("lathe %s %d", name_of(workspace), kLayoutVersion).c_str());
}

using Nodes = std::array<ImGuiID, 8>;
ImGuiID& node(Nodes& nodes, Place place) { return nodes[static_cast<std::size_t>(place)]; }

bool uses(const std::vector<std::unique_ptr<View>>& views, Workspace workspace, Place place) {
  return std::ranges::any_of(views, [&](const std::unique_ptr<View>& view) {
    return view->info().places[static_cast<std::size_t>(workspace)] == place;
  });
}

/// Widths are given in unscaled pixels and become shares of the window that the layout is built for, at most a third:
/// on a small screen at a large scale the middle still is the largest part.
float share_of(float pixels, float whole) { return std::clamp(px(pixels) / std::max(1.0F, whole), 0.12F, 0.33F); }

/// On a small screen, or at a large scale, what else stands beside or below the middle becomes tabs of it.
Nodes split(ImGuiID root, Workspace workspace, const std::vector<std::unique_ptr<View>>& views, ImVec2 size) {
  const bool is_narrow = size.x < px(900);
  const bool is_low = size.y < px(560);
  const float left = share_of(workspace == Workspace::Design ? 380 : 280, size.x);
  Nodes nodes{};
  ImGuiID center = root;
  node(nodes, Place::Left) = ImGui::DockBuilderSplitNode(center, ImGuiDir_Left, left, nullptr, &center);
  if (!is_narrow && uses(views, workspace, Place::Right)) {
    const float right = share_of(320, size.x * (1 - left));
    node(nodes, Place::Right) = ImGui::DockBuilderSplitNode(center, ImGuiDir_Right, right, nullptr, &center);
  }
  node(nodes, Place::Bottom) =
      ImGui::DockBuilderSplitNode(center, ImGuiDir_Down, share_of(is_low ? 88 : 128, size.y), nullptr, &center);
  if (!is_low && uses(views, workspace, Place::CenterBelow))
    node(nodes, Place::CenterBelow) = ImGui::DockBuilderSplitNode(center, ImGuiDir_Down, 0.42F, nullptr, &center);
  node(nodes, Place::Center) = center;
  for (const Place place : {Place::Right, Place::CenterBelow})
    if (node(nodes, place) == 0) node(nodes, place) = center;
  return nodes;
}

void build(ImGuiID root, Workspace workspace, const std::vector<std::unique_ptr<View>>& views) {
  const ImVec2 size = ImGui::GetMainViewport()->WorkSize;
  ImGui::DockBuilderRemoveNode(root);
  ImGui::DockBuilderAddNode(root, static_cast<int>(ImGuiDockNodeFlags_DockSpace));
  ImGui::DockBuilderSetNodeSize(root, size);
  Nodes nodes = split(root, workspace, views, size);
  std::set<ImGuiID> filled;
  for (const std::unique_ptr<View>& view : views) {
    const Place place = view->info().places[static_cast<std::size_t>(workspace)];
    if (place == Place::None) continue;
    const ShortText name = window_name(view->info(), workspace);
    ImGui::DockBuilderDockWindow(name.c_str(), node(nodes, place));
    // The first view of each place is the tab in front.
    ImGuiDockNode* dock = ImGui::DockBuilderGetNode(node(nodes, place));
    if (dock != nullptr && filled.insert(dock->ID).second)
      dock->SelectedTabId = ImHashStr("#TAB", 0, ImHashStr(name.c_str()));
  }
  ImGui::DockBuilderFinish(root);
}

}  // namespace

ShortText window_name(const View::Info& info, Workspace workspace) {
  return format("%s###%s.%s.%d", info.title, info.id, name_of(workspace), kLayoutVersion);
}

void show_tab(const View::Info& info, Workspace workspace) {
  const ImGuiWindow* window = ImGui::FindWindowByName(window_name(info, workspace).c_str());
  if (window == nullptr || window->DockNode == nullptr || window->DockNode->TabBar == nullptr) return;
  window->DockNode->TabBar->NextSelectedTabId = window->TabId;
}

void submit_dockspaces(Workspace workspace, const std::vector<std::unique_ptr<View>>& views, bool reset) {
  const ImGuiViewport* viewport = ImGui::GetMainViewport();
  ImGui::SetNextWindowPos(viewport->WorkPos);
  ImGui::SetNextWindowSize(viewport->WorkSize);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(4), px(4)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 0);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colors().background);
  ImGui::Begin("workspaces", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoDocking |
                   ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoNavFocus |
                   ImGuiWindowFlags_NoSavedSettings);
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(3);
  ImGui::PushStyleColor(ImGuiCol_Separator, colors().background);
  for (int i = 0; i < kNumWorkspaces; ++i) {
    const auto each = static_cast<Workspace>(i);
    const ImGuiID root = dockspace_id(each);
    const bool shown = each == workspace;
    if ((shown && reset) || ImGui::DockBuilderGetNode(root) == nullptr) build(root, each, views);
    const ImGuiDockNodeFlags flags = ImGuiDockNodeFlags_NoWindowMenuButton | ImGuiDockNodeFlags_NoCloseButton;
    ImGui::DockSpace(root, {0, 0}, flags | (shown ? 0 : ImGuiDockNodeFlags_KeepAliveOnly));
  }
  ImGui::PopStyleColor();
  ImGui::End();
}

}  // namespace lathe
