#include <cstdio>

#include "app/cli/commands.h"

namespace lathe {

void open_studio(const CliOptions& options) {
  std::fprintf(stderr, "This build has no window (LATHE_WINDOW=OFF): running the tour instead.\n");
  run_tour(options, "lathe-tour");
}

void add_open(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "open", "The studio (this build has no window: runs the tour)", "lathe open");
  auto model = std::make_shared<std::string>();
  command->add_option("MODEL", *model, "Not used by the tour");
  command->callback([&options] { open_studio(options); });
}

}  // namespace lathe
