#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::jinja {

using Json = nlohmann::ordered_json;

/// A value of Python as far as chat templates need it; nullopt is Jinja's "undefined".
using Value = std::optional<Json>;

/// What stands behind a filter, method or function: values by place and by name.
struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `place` or of that name; nullopt if it was not given.
  Value get(std::size_t place, const std::string& name) const;
};

// All functions here throw Error that says what is not supported.

bool is_true(const Value& value);

/// "1.0", as Python writes a float.
std::string number_text(double number);

/// What printing a value writes.
std::string to_text(const Value& value);

/// + - * / // % ~ == != < <= > >=
Value binary(const std::string& op, const Value& left, const Value& right);

/// Where `part` begins in `text` at or after `begin`, or npos; in linear time, whatever the two are.
std::size_t find_in(std::string_view text, std::string_view part, std::size_t begin = 0);

/// The "in" of Python.
bool contains(const Value& container, const Value& item);

/// object[index]; undefined if there is no such item.
Value item(const Value& object, const Value& index);

/// The same in place; null if there is no such item.
const Json* find_item(const Json& object, const Value& index);

/// The characters of well-formed UTF-8, each a string.
Json characters_of(const std::string& text);

/// object[begin:end:step] of a list or string.
Value slice(const Value& object, const Value& begin, const Value& end, const Value& step);

/// What looping over an object goes through.
Json keys_of(const Json& object);

/// Whether templates may call a function of that name.
bool is_function(const std::string& name);

/// name(arguments): raise_exception, namespace, range, strftime_now
Value function(const std::string& name, const Arguments& arguments);

/// value | name(arguments)
Value filter(const std::string& name, const Value& value, const Arguments& arguments);

/// value is name(arguments)
bool test(const std::string& name, const Value& value, const Arguments& arguments);

/// What `json.dumps(value, ensure_ascii=False)` writes.
std::string to_json(const Json& value, std::optional<std::int64_t> indent = std::nullopt);

/// object.name(arguments)
Value method(const std::string& name, const Value& object, const Arguments& arguments);

}  // namespace lathe::jinja
