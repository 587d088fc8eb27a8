#include <nlohmann/json.hpp>

#include "model/io/jinja_parser.h"
#include "model/io/jinja_renderer.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const nlohmann::ordered_json variables = {
      {"messages",
       {{{"role", "system"}, {"content", "Be brief."}}, {{"role", "user"}, {"content", "H\xC3\xA9llo <b>there</b>"}}}},
      {"add_generation_prompt", true},
      {"tools", nullptr},
      {"bos_token", "<s>"},
      {"eos_token", "</s>"}};
  std::vector<jinja::Statement> statements;
  if (!accepts([&] { statements = jinja::parse(as_text(data, size)); })) return 0;
  std::string text;
  if (!accepts([&] { text = jinja::render(statements, variables); })) return 0;
  require(jinja::render(statements, variables) == text, "a template gives the same text twice");
  return 0;
}
