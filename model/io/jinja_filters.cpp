#include <algorithm>
#include <cmath>

#include "model/io/jinja_error.h"
#include "model/io/jinja_limits.h"
#include "model/io/jinja_values.h"

namespace lathe::jinja {

namespace {

std::int64_t length(const Value& value) {
  check(value && (value->is_array() || value->is_object() || value->is_string()), "length of ",
        value ? value->type_name() : "something undefined");
  if (!value->is_string()) return static_cast<std::int64_t>(value->size());
  const auto& text = value->get_ref<const std::string&>();
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void write_json(const Json& value, std::optional<std::int64_t> indent, std::int64_t depth, std::string& out) {
  const bool is_object = value.is_object();
  if (!value.is_structured() || value.empty()) {
    out += value.is_number_float() ? number_text(value.get<double>()) : value.dump();
    return;
  }
  const auto new_line = [&](std::int64_t levels) {
    if (indent) out.append("\n").append(static_cast<std::size_t>(*indent * levels), ' ');
  };
  out += is_object ? '{' : '[';
  for (auto entry = value.begin(); entry != value.end(); ++entry) {
    if (entry != value.begin()) out += indent ? "," : ", ";
    new_line(depth + 1);
    if (is_object) out.append(Json(entry.key()).dump()).append(": ");
    write_json(*entry, indent, depth + 1, out);
    check_value_bytes(out.size());
  }
  new_line(depth);
  out += is_object ? '}' : ']';
}

std::string as_json(const Value& value, const Arguments& arguments) {
  check(value.has_value(), "tojson of something undefined");
  for (const auto& [name, given] : arguments.named) {
    const bool is_known = name == "indent" || (name == "ensure_ascii" && !is_true(given));
    check(is_known, "tojson with ", name, " is not supported");
  }
  const Value indent = arguments.get(0, "indent");
  if (!indent || indent->is_null()) return to_json(*value);
  const bool is_small =
      indent->is_number_integer() && indent->get<std::int64_t>() >= 0 && indent->get<std::int64_t>() <= 16;
  check(is_small, "tojson with another indent than 0 to 16 is not supported");
  return to_json(*value, indent->get<std::int64_t>());
}

/// The arguments from `first` on.
Arguments rest_of(const Arguments& arguments, std::size_t first) {
  Arguments rest;
  for (std::size_t i = first; i < arguments.values.size(); ++i) rest.values.push_back(arguments.values[i]);
  return rest;
}

/// An attribute of an item, or of an attribute of it: "function.name".
Value attribute_of(const Json& item, const std::string& path) {
  const Json* at = &item;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const auto found = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (!at->is_object() || found == at->end()) return std::nullopt;
    at = &*found;
    begin = end + 1;
  }
  return *at;
}

/// select, reject, selectattr, rejectattr: the items that pass a test, or do not.
Json chosen_from(const Value& list, const Arguments& arguments, bool by_attribute, bool keeps) {
  if (!list) return Json::array();
  check(list->is_array(), "choosing from ", list->type_name(), " is not supported");
  const std::size_t place = by_attribute ? 1 : 0;
  const Value path = by_attribute ? arguments.get(0, "") : Value();
  check(!by_attribute || (path && path->is_string()), "selectattr needs the name of an attribute");
  const Value test_name = arguments.get(place, "");
  Json chosen = Json::array();
  for (const Json& item : *list) {
    const Value value = by_attribute ? attribute_of(item, path->get_ref<const std::string&>()) : Value(item);
    const bool passes = test_name ? test(to_text(test_name), value, rest_of(arguments, place + 1)) : is_true(value);
    if (passes == keeps) chosen.push_back(item);
  }
  return chosen;
}

Json mapped(const Value& list, const Arguments& arguments) {
  if (!list) return Json::array();
  check(list->is_array(), "map of ", list->type_name(), " is not supported");
  const Value path = arguments.get(arguments.values.size(), "attribute");
  const Value name = arguments.get(0, "");
  Json results = Json::array();
  for (const Json& item : *list) {
    const Value result = path ? attribute_of(item, to_text(path)) : filter(to_text(name), item, rest_of(arguments, 1));
    results.push_back(result.value_or(nullptr));
  }
  return results;
}

Value of_list(const std::string& name, const Value& value, const Arguments& arguments) {
  if (name == "select" || name == "reject") return chosen_from(value, arguments, false, name == "select");
  if (name == "selectattr" || name == "rejectattr") return chosen_from(value, arguments, true, name == "selectattr");
  if (name == "map") return mapped(value, arguments);
  if (name == "first") return item(value, Json(0));
  if (name == "last") return item(value, Json(-1));
  if (name == "list" && value && value->is_array()) return value;
  if (name == "list" && value && value->is_string()) return characters_of(value->get<std::string>());
  if (name == "list" && value && value->is_object()) return keys_of(*value);
  if (name == "reverse") return slice(value, Json(nullptr), Json(nullptr), Json(-1));
  if (name == "items" && value && value->is_object()) return method("items", value, {});
  if (name == "items" && !value) return Json::array();
  refuse("the filter \"", name, "\" is not supported");
}

bool has_value(const Arguments& arguments, const Value& value) {
  const Value other = arguments.get(0, "");
  return value == other;
}

}  // namespace

std::string to_json(const Json& value, std::optional<std::int64_t> indent) {
  std::string text;
  write_json(value, indent, 0, text);
  return text;
}

Value filter(const std::string& name, const Value& value, const Arguments& arguments) {
  const auto text_method = [&](const char* method_name) {
    return method(method_name, Json(to_text(value)), arguments);
  };
  if (name == "trim") {
    const Value characters = arguments.get(0, "chars");
    return method("strip", Json(to_text(value)), {.values = {characters.value_or(nullptr)}, .named = {}});
  }
  for (const char* same : {"upper", "lower", "replace", "capitalize", "title"}) {
    if (name == same) return text_method(same);
  }
  if (name == "length" || name == "count") return Json(length(value));
  if (name == "string" || name == "safe") return Json(to_text(value));
  if (name == "tojson") return Json(as_json(value, arguments));
  if (name == "join") {
    const Value separator = arguments.get(0, "d");
    const Value attribute = arguments.get(1, "attribute");
    check(!attribute, "join of an attribute is not supported");
    return method("join", separator ? Json(to_text(separator)) : Json(""), {.values = {value}, .named = {}});
  }
  if (name == "default" || name == "d") {
    const bool keeps = value && (is_true(value) || !is_true(arguments.get(1, "boolean")));
    return keeps ? value : arguments.get(0, "default_value") ? arguments.get(0, "default_value") : Value(Json(""));
  }
  return of_list(name, value, arguments);
}

bool test(const std::string& name, const Value& value, const Arguments& arguments) {
  if (name == "defined") return value.has_value();
  if (name == "undefined") return !value.has_value();
  if (name == "none") return value && value->is_null();
  if (name == "string") return value && value->is_string();
  if (name == "mapping") return value && value->is_object();
  if (name == "number") return value && (value->is_number() || value->is_boolean());
  if (name == "integer") return value && value->is_number_integer();
  if (name == "float") return value && value->is_number_float();
  if (name == "boolean") return value && value->is_boolean();
  if (name == "true") return value && value->is_boolean() && value->get<bool>();
  if (name == "false") return value && value->is_boolean() && !value->get<bool>();
  if (name == "equalto" || name == "eq" || name == "==") return has_value(arguments, value);
  if (name == "ne" || name == "!=") return !has_value(arguments, value);
  if (name == "in") return contains(arguments.get(0, ""), value);
  if (name == "odd" || name == "even") {
    check(value && value->is_number_integer(), "\"is ", name, "\" of other than a whole number");
    return (value->get<std::int64_t>() % 2 != 0) == (name == "odd");
  }
  const bool holds_items = value && (value->is_string() || value->is_array() || value->is_object());
  if (name == "iterable" || name == "sequence") return holds_items || !value;
  refuse("the test \"is ", name, "\" is not supported");
}

}  // namespace lathe::jinja
