#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "app/cli/client.h"
#include "model/data/error.h"

namespace lathe {

// One function a command, in a file of its name: it describes the command's arguments and what running it does.
// `options` are filled when a command runs; they outlive the parser.

/// The studio; it is also what runs when no command is given. In a build without a window, and with no display, it says
/// so and runs the tour.
void add_open(CLI::App& app, const CliOptions& options);
void add_tour(CLI::App& app, const CliOptions& options);
void add_bench(CLI::App& app, const CliOptions& options);
void add_info(CLI::App& app, const CliOptions& options);
void add_tokenize(CLI::App& app, const CliOptions& options);
void add_detokenize(CLI::App& app, const CliOptions& options);
void add_generate(CLI::App& app, const CliOptions& options);
void add_eval(CLI::App& app, const CliOptions& options);
void add_convert(CLI::App& app, const CliOptions& options);
void add_export(CLI::App& app, const CliOptions& options);
void add_verify(CLI::App& app, const CliOptions& options);
void add_train(CLI::App& app, const CliOptions& options);
void add_recipes(CLI::App& app, const CliOptions& options);
void add_methods(CLI::App& app, const CliOptions& options);
void add_devices(CLI::App& app, const CliOptions& options);

/// Starts the studio without arguments.
void open_studio(const CliOptions& options);
/// Open, convert, heal, generate on the default model, with figures and a report in `folder`.
void run_tour(const CliOptions& options, const std::string& folder);

/// One line on stdout. Bytes that are not UTF-8 (from file names) become U+FFFD.
void print_json(const nlohmann::json& json);

/// Throws a usage error (status 2) that names all problems, if there are any.
void check_usage(const std::vector<std::string>& problems);

/// A check of an option's text: wrong usage is what makes `read` throw Error.
template <typename Read>
CLI::Validator readable_by(Read read) {
  const auto problem_of = [read](const std::string& text) {
    try {
      read(text);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  return {problem_of, "", ""};
}

/// A subcommand that takes the common options too, with examples shown below its help.
CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what, const std::string& examples);

}  // namespace lathe
