#pragma once

#include <string>
#include <vector>

#include "model/io/jinja_parser.h"

namespace lathe::jinja {

/// Runs a parsed template on the variables of an object. Steps and output are limited.
/// Throws Error with the line of what cannot be done, or with what the template raises.
std::string render(const std::vector<Statement>& statements, const nlohmann::ordered_json& variables);

}  // namespace lathe::jinja
