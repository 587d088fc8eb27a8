#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "model/data/event_json.h"
#include "model/io/atomic_file.h"

namespace lathe {
namespace {

struct EvalArguments {
  std::string model;
  Evaluate evaluate;
};

void print_evaluated(const Evaluated& evaluated) {
  std::printf("nll %.5f nats/token  ppl %.3f  over %lld tokens\n", evaluated.nll, evaluated.ppl,
              static_cast<long long>(evaluated.tokens));
  if (evaluated.compared) {
    std::printf("kl %.5f nats/token  top-1 agreement %.2f %%\n", evaluated.kl, 100.0 * evaluated.top1_agreement);
  }
}

}  // namespace

void add_eval(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "eval", "Teacher-forced loss on a text, in windows that do not overlap",
                              "lathe eval default --text book.txt\n"
                              "lathe eval converted/ --text book.txt --against default --json");
  auto arguments = std::make_shared<EvalArguments>();
  Evaluate& evaluate = arguments->evaluate;
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--text", evaluate.text, "The text file")->required();
  command->add_option("--window", evaluate.window, "Tokens in a window, each its own context")
      ->check(CLI::Range(std::int64_t{2}, std::numeric_limits<std::int64_t>::max()))
      ->capture_default_str();
  command->add_option("--windows", evaluate.windows, "At most so many windows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--per-token", evaluate.per_token_file, "Write one JSON object a line for each predicted token");
  command->add_option("--against", evaluate.against, "A second model: KL(second || MODEL) and top-1 agreement");
  command->callback([arguments, &options] {
    if (!arguments->evaluate.per_token_file.empty()) check_writable(arguments->evaluate.per_token_file);
    Client client(options);
    client.open(arguments->model);
    client.run({.job = 0, .what = arguments->evaluate}, [&options](const Event& event) {
      if (const auto* evaluated = std::get_if<Evaluated>(&event.what)) {
        options.json ? print_json(evaluated_to_json(*evaluated)) : print_evaluated(*evaluated);
      }
    });
  });
}

}  // namespace lathe
