#include <algorithm>
#include <array>
#include <ctime>

#include "model/data/error.h"
#include "model/io/jinja_limits.h"
#include "model/io/jinja_values.h"
#include "model/io/unicode_classes.h"

namespace lathe::jinja {

namespace {

bool is_space(char32_t code) {
  // str.strip() also takes the four ASCII separators, which the regular expressions' \s does not.
  return (character_classes()[code] & kSpace) != 0 || (code >= 0x1C && code <= 0x1F);
}

constexpr std::size_t kMostStripped = 256;  // each is looked for in turn

/// Python's strip: white space, or any of the characters given.
std::string strip(std::string_view text, const Value& characters, bool left, bool right) {
  const bool any_space = !characters || characters->is_null();
  const std::string chosen = any_space ? "" : to_text(characters);
  check(chosen.size() <= kMostStripped, "[chat template] strip of more than ", kMostStripped, " bytes of characters");
  const auto goes = [&](Utf8Char c, const char* at) {
    return any_space ? is_space(c.code) : chosen.find(std::string_view(at, c.size)) != std::string::npos;
  };
  while (left && !text.empty() && goes(utf8_char(text.data()), text.data())) {
    text.remove_prefix(utf8_char(text.data()).size);
  }
  while (right && !text.empty()) {
    const Utf8Char last = last_utf8_char(text);
    if (!goes(last, text.data() + text.size() - last.size)) break;
    text.remove_suffix(last.size);
  }
  return std::string(text);
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  check(!from.empty(), "[chat template] replacing the empty string is not supported");
  std::string replaced;
  std::size_t begin = 0;
  for (std::size_t at = find_in(text, from); at != std::string_view::npos; at = find_in(text, from, begin)) {
    replaced.append(text, begin, at - begin).append(to);
    check_value_bytes(replaced.size());
    begin = at + from.size();
  }
  return replaced.append(text, begin);
}

std::string with_ascii_case(std::string text, bool upper) {
  for (char& c : text) {
    check(static_cast<unsigned char>(c) < 0x80, "[chat template] changing the case of other than ASCII letters is not ",
          "supported: \"", text.substr(0, 100), "\"");
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') c = static_cast<char>(c ^ 0x20);
  }
  return text;
}

Json split(std::string_view text, const Value& separator) {
  check(separator && separator->is_string() && !separator->empty(), "[chat template] split needs a separator");
  const auto& by = separator->get_ref<const std::string&>();
  check(!by.empty(), "[chat template] split needs a separator");
  Json parts = Json::array();
  std::size_t begin = 0;
  for (std::size_t at = find_in(text, by); at != std::string_view::npos; at = find_in(text, by, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    check_value_bytes(begin + parts.size() * kItemBytes);
    begin = at + by.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Json pairs_of(const Json& object) {
  Json pairs = Json::array();
  for (const auto& [key, value] : object.items()) pairs.push_back(Json::array({key, value}));
  return pairs;
}

std::int64_t length(const Value& value) {
  check(value && (value->is_array() || value->is_object() || value->is_string()), "[chat template] length of ",
        value ? value->type_name() : "something undefined");
  if (!value->is_string()) return static_cast<std::int64_t>(value->size());
  const auto& text = value->get_ref<const std::string&>();
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Json join(const Value& list, const Value& separator) {
  check(list && list->is_array(), "[chat template] join of other than a list is not supported");
  std::string joined;
  for (const Json& part : *list) {
    if (&part != &list->front()) joined += to_text(separator);
    joined += to_text(part);
    check_value_bytes(joined.size());
  }
  return joined;
}

Value text_method(const std::string& name, const std::string& text, const Arguments& arguments) {
  const Value first = arguments.get(0, "");
  if (name == "strip") return Json(strip(text, first, true, true));
  if (name == "lstrip") return Json(strip(text, first, true, false));
  if (name == "rstrip") return Json(strip(text, first, false, true));
  if (name == "startswith") return Json(text.starts_with(to_text(first)));
  if (name == "endswith") return Json(text.ends_with(to_text(first)));
  if (name == "split" && arguments.values.size() == 1) return split(text, first);
  if (name == "replace") return Json(replace_all(text, to_text(first), to_text(arguments.get(1, ""))));
  if (name == "upper" || name == "lower") return Json(with_ascii_case(text, name == "upper"));
  throw Error(lathe::text("[chat template] the method ", name, " of a string is not supported"));
}

}  // namespace

Json keys_of(const Json& object) {
  Json keys = Json::array();
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

Value method(const std::string& name, const Value& object, const Arguments& arguments) {
  check(object.has_value(), "[chat template] the method ", name, " of something undefined");
  if (object->is_string()) return text_method(name, object->get_ref<const std::string&>(), arguments);
  if (object->is_object() && name == "items") return pairs_of(*object);
  if (object->is_object() && name == "get") {
    const Value found = item(object, arguments.get(0, "key"));
    const Value otherwise = arguments.get(1, "default");
    return found ? found : otherwise ? otherwise : Value(Json(nullptr));
  }
  throw Error(lathe::text("[chat template] the method ", name, " of ", object->type_name(), " is not supported"));
}

std::string now_as(const std::string& format) {
  const std::time_t time = std::time(nullptr);
  std::tm local{};
  localtime_r(&time, &local);
  std::array<char, 256> shown{};
  const std::size_t size = std::strftime(shown.data(), shown.size(), format.c_str(), &local);
  return {shown.data(), size};
}

Value filter(const std::string& name, const Value& value, const Arguments& arguments) {
  const Value first = arguments.get(0, "");
  if (name == "trim") return Json(strip(to_text(value), arguments.get(0, "chars"), true, true));
  if (name == "length" || name == "count") return Json(length(value));
  if (name == "upper" || name == "lower") return Json(with_ascii_case(to_text(value), name == "upper"));
  if (name == "string" || name == "safe") return Json(to_text(value));
  if (name == "join") return join(value, arguments.get(0, "d") ? arguments.get(0, "d") : Value(Json("")));
  if (name == "replace") return Json(replace_all(to_text(value), to_text(first), to_text(arguments.get(1, "new"))));
  if (name == "default" || name == "d") {
    const bool keeps = value && (is_true(value) || !is_true(arguments.get(1, "boolean")));
    return keeps ? value : arguments.get(0, "default_value") ? arguments.get(0, "default_value") : Value(Json(""));
  }
  if (name == "first") return item(value, Json(0));
  if (name == "last") return item(value, Json(-1));
  if (name == "list" && value && value->is_array()) return value;
  if (name == "items" && value && value->is_object()) return pairs_of(*value);
  throw Error(lathe::text("[chat template] the filter \"", name, "\" is not supported"));
}

}  // namespace lathe::jinja
