#pragma once

#include "model/data/error.h"

namespace lathe::jinja {

/// Refuses a template, or what it makes of a conversation; the joined parts say what and in which line.
template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw Error({.code = ErrorCode::Template,
               .what = text(parts...),
               .where = "the chat template",
               .hint = "write the conversation as plain text, or put a simpler chat_template.jinja beside the model"});
}

/// Refuses unless the condition holds.
template <typename... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) refuse(parts...);
}

}  // namespace lathe::jinja
