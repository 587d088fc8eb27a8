#include "app/cli/cli.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/devices.h"
#include "model/data/event_json.h"

namespace lathe {
namespace {

constexpr int kError = 1;
constexpr int kWrongUsage = 2;
constexpr int kCancelled = 130;

void add_common_options(CLI::App& app, CliOptions& options) {
  app.add_flag("--json", options.json, "One JSON object on stdout (streams: one a line)");
  app.add_flag("--quiet", options.quiet, "No progress on stderr");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")
      ->check(readable_by(device_request))
      ->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, f32, bf16 or f16")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "f16"}))
      ->capture_default_str();
  app.add_option("--config", options.config, "A config.json in place of the one beside MODEL's weights");
  app.add_option("--threads", options.threads, "CPU threads; 0: as many as there are")
      ->check(CLI::Range(0U, std::max(1U, std::thread::hardware_concurrency())))
      ->capture_default_str();
}

/// Bytes that are not UTF-8 (from file names) become U+FFFD.
std::string to_line(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Throws Error if what was printed could not all be written: a full disk must not look like success.
void flush_output() {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  check(written, "could not write all output to stdout: ", std::strerror(errno));
}

/// On stderr, so that stdout holds results only: a sentence, or with --json one object.
void print_error(const ErrorParts& error, bool json) {
  const std::string line = json ? to_line(error_to_json(error)) : "lathe: " + to_text(error);
  std::fprintf(stderr, "%s\n", line.c_str());
}

void add_commands(CLI::App& app, const CliOptions& options) {
  add_open(app, options);
  add_tour(app, options);
  add_info(app, options);
  add_tokenize(app, options);
  add_detokenize(app, options);
  add_generate(app, options);
  add_eval(app, options);
  add_convert(app, options);
  add_export(app, options);
  add_verify(app, options);
  add_train(app, options);
  add_recipes(app, options);
  add_methods(app, options);
  add_devices(app, options);
  add_bench(app, options);
}

}  // namespace

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what, const std::string& examples) {
  CLI::App* command = app.add_subcommand(name, what);
  command->fallthrough();
  command->footer("Examples:\n" + examples);
  return command;
}

void print_json(const nlohmann::json& json) {
  std::printf("%s\n", to_line(json).c_str());
  std::fflush(stdout);
}

void check_usage(const std::vector<std::string>& problems) {
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  if (!problems.empty()) throw CLI::ValidationError(all);
}

int run_cli(int argc, char** argv) {
  CliOptions options;
  CLI::App app("Reshape Llama checkpoints: turn layers into MLA and MoE, heal them, look inside.", "lathe");
  app.set_version_flag("--version", code_version());
  add_common_options(app, options);
  add_commands(app, options);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) open_studio(options);
    flush_output();
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : kWrongUsage;
  } catch (const Cancelled&) {
    std::fputs("cancelled\n", stderr);
    return kCancelled;
  } catch (const Error& error) {
    print_error(error.parts(), options.json);
    return kError;
  } catch (const std::exception& error) {
    print_error({.what = error.what()}, options.json);
    return kError;
  }
  return 0;
}

}  // namespace lathe
