#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "model/io/tokenizer.h"

namespace lathe {
namespace {

struct TokenizeArguments {
  std::string model;
  std::string text;
  std::string file;
  std::string lines;
  bool no_special = false;
};

std::ifstream open_text(const std::string& path) {
  check(!std::filesystem::is_directory(path), "expected a file; got a folder: ", path);
  std::ifstream file(path, std::ios::binary);
  check(file.good(), "cannot read the file; check that it exists and may be read: ", path);
  return file;
}

std::string read_bytes(const std::string& path) {
  std::ifstream file = open_text(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json tokenized(const Tokenizer& tokenizer, std::string_view text, bool special) {
  const auto ids = tokenizer.encode(text, {.add_special_tokens = special});
  nlohmann::json tokens = nlohmann::json::array();
  for (const std::int32_t id : ids) tokens.push_back(std::string(tokenizer.token(id)));
  return {{"ids", ids}, {"tokens", std::move(tokens)}};
}

void tokenize_lines(const Tokenizer& tokenizer, const TokenizeArguments& arguments) {
  std::ifstream file = open_text(arguments.lines);
  std::int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const auto parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    check(parsed.is_string(), "line ", number,
          " is not a JSON string; each line holds one text; file: ", arguments.lines);
    print_json(tokenized(tokenizer, parsed.get<std::string>(), !arguments.no_special));
  }
}

void tokenize(const TokenizeArguments& arguments, const CliOptions& options) {
  const Tokenizer tokenizer = load_tokenizer(model_path(arguments.model), options.config);
  if (!arguments.lines.empty()) return tokenize_lines(tokenizer, arguments);
  const std::string input = arguments.file.empty() ? arguments.text : read_bytes(arguments.file);
  const auto result = tokenized(tokenizer, input, !arguments.no_special);
  if (options.json) return print_json(result);
  for (std::size_t i = 0; i < result["ids"].size(); ++i) {
    std::printf("%7d  %s\n", result["ids"][i].get<int>(), result["tokens"][i].get<std::string>().c_str());
  }
}

}  // namespace

void add_tokenize(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "tokenize", "The ids that the model's own tokenizer gives for a text",
                              "lathe tokenize default --text 'Hello world'\n"
                              "lathe tokenize tiny --lines texts.jsonl   # a JSON string a line, an object a line out");
  auto arguments = std::make_shared<TokenizeArguments>();
  command->add_option("MODEL", arguments->model, "Folder, file, 'default' or 'tiny'")->required();
  auto* source = command->add_option_group("text", "What to tokenize");
  source->add_option("--text", arguments->text, "The text itself");
  source->add_option("--file", arguments->file, "A file, read as it is");
  source->add_option("--lines", arguments->lines, "A file with one JSON string a line");
  source->require_option(1);
  command->add_flag("--no-special", arguments->no_special, "Without the special tokens around the text");
  command->callback([arguments, &options] { tokenize(*arguments, options); });
}

void add_detokenize(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(app, "detokenize", "The text of ids", "lathe detokenize default 28120 905");
  auto model = std::make_shared<std::string>();
  auto ids = std::make_shared<std::vector<std::int32_t>>();
  auto special = std::make_shared<bool>(false);
  command->add_option("MODEL", *model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_option("IDS", *ids, "Token ids")->required();
  command->add_flag("--special", *special, "Write special tokens too");
  command->callback([model, ids, special, &options] {
    const Tokenizer tokenizer = load_tokenizer(model_path(*model), options.config);
    for (const std::int32_t id : *ids) {
      check(id >= 0 && id < tokenizer.vocab_size(), "token ", id, " is not in this model's vocabulary; expected 0 to ",
            tokenizer.vocab_size() - 1);
    }
    const std::string decoded = tokenizer.decode(*ids, {.skip_special_tokens = !*special});
    if (options.json) return print_json({{"text", decoded}});
    std::printf("%s\n", decoded.c_str());
  });
}

}  // namespace lathe
