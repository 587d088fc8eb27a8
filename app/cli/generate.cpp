#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "model/data/event_json.h"

namespace lathe {
namespace {

struct GenerateArguments {
  std::string model;
  GenerateSettings settings;
};

void generate_text(const GenerateArguments& arguments, const CliOptions& options) {
  Client client(options);
  client.open(arguments.model);
  client.run({.job = 0, .what = Generate{.settings = arguments.settings}}, [&options](const Event& event) {
    if (const auto* token = std::get_if<TokenWritten>(&event.what); token && !options.json) {
      std::fputs(token->text.c_str(), stdout);
      std::fflush(stdout);
    } else if (const auto* generated = std::get_if<Generated>(&event.what)) {
      if (options.json) return print_json(generated_to_json(*generated));
      std::fputs("\n", stdout);
      std::fprintf(stderr, "%zu tokens, %.1f tokens/s, prompt of %lld tokens read in %.2f s, ended by %s\n",
                   generated->ids.size(), generated->tokens_per_second,
                   static_cast<long long>(generated->prompt_tokens), generated->prefill_seconds,
                   generated->finish.c_str());
    }
  });
}

}  // namespace

void add_generate(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "generate", "Write on from a prompt",
                              "lathe generate default --prompt 'What is a lathe?' --chat\n"
                              "lathe generate tiny --prompt 'In the' --temperature 0.8 --top-p 0.95 --seed 7");
  auto arguments = std::make_shared<GenerateArguments>();
  GenerateSettings& settings = arguments->settings;
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("--prompt", settings.prompt, "The text to continue")->required();
  command->add_flag("--chat", settings.chat, "Wrap the prompt in the model's chat template");
  command->add_option("--max-new-tokens", settings.max_new_tokens, "End after so many tokens")->capture_default_str();
  command->add_option("--temperature", settings.temperature, "0 is greedy")->capture_default_str();
  command->add_option("--top-k", settings.top_k, "Choose among the k most probable; 0 is off")->capture_default_str();
  command->add_option("--top-p", settings.top_p, "Choose among the most probable that sum to p")->capture_default_str();
  command->add_option("--min-p", settings.min_p, "Drop tokens below this share of the most probable")
      ->capture_default_str();
  command->add_option("--repetition-penalty", settings.repetition_penalty, "Above 1 discourages what was seen")
      ->capture_default_str();
  command->add_option("--seed", settings.seed, "The same seed writes the same text")->capture_default_str();
  command->add_option("--stop", settings.stop, "End before this text; may be given more than once");
  command->callback([arguments, &options] {
    check_usage(generate_problems(arguments->settings));
    generate_text(*arguments, options);
  });
}

}  // namespace lathe
