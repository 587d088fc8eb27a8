#include "app/figures.h"

#include <algorithm>
#include <array>

#include "app/offscreen.h"
#include "app/settings_file.h"
#include "model/io/atomic_file.h"
#include "views/shell.h"

namespace lathe {
namespace {

constexpr int kWidth = 1600;
constexpr int kHeight = 1000;
constexpr int kFramesToSettle = 8;

std::string file_name(Workspace workspace) {
  std::string name = name_of(workspace);
  std::ranges::transform(name, name.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return name + ".png";
}

}  // namespace

std::vector<std::string> save_figures(const Session& session, const std::filesystem::path& folder) {
  Offscreen screen(kWidth, kHeight);
  load_fonts(kFontFolders);
  Shell shell;
  UiState ui;
  ui.settings.tour_seen = true;
  if (session.attention) {
    ui.layer = session.attention->layer;
    ui.head = session.attention->head;
  }
  Commands commands;
  std::vector<std::string> names;
  for (const Workspace workspace : {Workspace::Design, Workspace::Train, Workspace::Generate, Workspace::Inspect}) {
    ui.settings.workspace = workspace;
    for (int frame = 0; frame < kFramesToSettle; ++frame) {
      // What was carried out is of more interest than what could be planned next.
      if (frame == 1 && workspace == Workspace::Design && session.receipt) ui.focus_view = "receipt";
      screen.begin_frame();
      shell.draw(session, ui, commands);
      screen.render();
    }
    names.push_back(file_name(workspace));
    write_file(folder / names.back(), png_of(screen.read_all()));
  }
  return names;
}

}  // namespace lathe
