#include "model/io/chat_template.h"

#include "model/data/error.h"
#include "model/io/jinja_parser.h"
#include "model/io/jinja_renderer.h"
#include "model/io/utf8.h"

namespace lathe {

std::string render_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages, bool add_generation_prompt) {
  if (tokenizer.chat_template().empty()) {
    throw Error({.code = ErrorCode::Template,
                 .what = "the model has none: it was not trained on conversations",
                 .where = "the chat template",
                 .got = "no template",
                 .expected = "one in tokenizer_config.json or chat_template.jinja",
                 .hint = "give it plain text instead"});
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", repair_utf8(message.role).text}, {"content", repair_utf8(message.content).text}});
  }
  nlohmann::ordered_json variables = {{"messages", std::move(list)},
                                      {"add_generation_prompt", add_generation_prompt},
                                      {"tools", nullptr},
                                      {"documents", nullptr}};
  if (const auto bos = tokenizer.bos_id()) variables["bos_token"] = tokenizer.token(*bos);
  if (const auto eos = tokenizer.eos_id()) variables["eos_token"] = tokenizer.token(*eos);
  return jinja::render(jinja::parse(tokenizer.chat_template()), variables);
}

}  // namespace lathe
