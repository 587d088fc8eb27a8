#pragma once

#include "model/io/jinja_parser.h"
#include "model/io/jinja_token_stream.h"

namespace lathe::jinja {

/// Parses one expression; `allow_if` false leaves an "if" to the caller, as the filter of a loop needs.
/// Throws Error.
Expression parse_expression(TokenStream& tokens, bool allow_if = true);

}  // namespace lathe::jinja
