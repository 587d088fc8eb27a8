#include <cstdio>
#include <cstdlib>
#include <optional>

#include "app/cli/commands.h"
#include "app/studio.h"

namespace lathe {
namespace {

constexpr const char* kTourFolder = "lathe-tour";

bool has_display() {
  const auto is_set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
}

void run_tour_instead(const CliOptions& options, const char* why) {
  std::fprintf(stderr, "There is no display (%s): running the tour instead.\n", why);
  run_tour(options, kTourFolder);
}

void open_window(StudioOptions studio, const CliOptions& options) {
  if (!has_display()) return run_tour_instead(options, "DISPLAY and WAYLAND_DISPLAY are not set");
  studio.device = options.device;
  studio.dtype = options.dtype;
  studio.config = options.config;
  studio.threads = options.threads;
  std::optional<Studio> window;
  try {
    window.emplace(studio);
  } catch (const NoDisplay& error) {
    return run_tour_instead(options, error.what());
  }
  window->run();
}

}  // namespace

void open_studio(const CliOptions& options) { open_window({}, options); }

void add_open(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "open", "The studio, with a model", "lathe open default\nlathe open tiny");
  auto studio = std::make_shared<StudioOptions>();
  command->add_option("MODEL", studio->model, "Folder, file, 'default' or 'tiny'");
  command->add_option("--script", studio->script, "Play the steps of this file, then quit");
  command->add_option("--width", studio->width, "Of the window, pixels")
      ->check(CLI::Range(320, 16384))
      ->capture_default_str();
  command->add_option("--height", studio->height, "Of the window, pixels")
      ->check(CLI::Range(240, 16384))
      ->capture_default_str();
  command->callback([studio, &options] { open_window(*studio, options); });
}

}  // namespace lathe
