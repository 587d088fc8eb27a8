#pragma once

#include <span>
#include <string>

#include "model/io/tokenizer.h"

namespace lathe {

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

/// The text that the model's chat template makes of `messages`, equal to transformers'
/// apply_chat_template(tokenize=False). It already holds its special tokens: encode it with add_special_tokens false.
/// Throws Error if the model has no template, if the template uses Jinja that Lathe does not know, or raises itself.
std::string render_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages, bool add_generation_prompt);

}  // namespace lathe
