#include <algorithm>
#include <array>
#include <ctime>

#include "model/io/jinja_error.h"
#include "model/io/jinja_limits.h"
#include "model/io/jinja_values.h"
#include "model/io/unicode_classes.h"
#include "model/io/utf8.h"

namespace lathe::jinja {

namespace {

bool is_space(char32_t code) {
  // str.strip() also takes the four ASCII separators, which the regular expressions' \s does not.
  return (character_classes()[code] & kSpace) != 0 || (code >= 0x1C && code <= 0x1F);
}

constexpr std::int64_t kMostItems = 300'000;  // of a range
constexpr std::size_t kMostStripped = 256;    // each is looked for in turn

/// Python's strip: white space, or any of the characters given.
std::string strip(std::string_view text, const Value& characters, bool left, bool right) {
  const bool any_space = !characters || characters->is_null();
  const std::string chosen = any_space ? "" : to_text(characters);
  check(chosen.size() <= kMostStripped, "strip of more than ", kMostStripped, " bytes of characters");
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
  check(!from.empty(), "replacing the empty string is not supported");
  std::string replaced;
  std::size_t begin = 0;
  for (std::size_t at = find_in(text, from); at != std::string_view::npos; at = find_in(text, from, begin)) {
    replaced.append(text, begin, at - begin).append(to);
    check_value_bytes(replaced.size());
    begin = at + from.size();
  }
  return replaced.append(text, begin);
}

std::string joined_by(const std::string& separator, const Value& list) {
  check(list && list->is_array(), "join of other than a list is not supported");
  std::string joined;
  for (const Json& part : *list) {
    if (&part != &list->front()) joined += separator;
    joined += to_text(part);
    check_value_bytes(joined.size());
  }
  return joined;
}

/// Python's split without a separator.
Json words_of(std::string_view text) {
  Json words = Json::array();
  std::size_t begin = 0;
  const auto add = [&](std::size_t end) {
    if (begin < end) words.push_back(text.substr(begin, end - begin));
    check_value_bytes(end + words.size() * kItemBytes);
  };
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = utf8_char(text.data() + at);
    if (is_space(next.code)) {
      add(at);
      begin = at + next.size;
    }
    at += next.size;
  }
  add(text.size());
  return words;
}

/// The first letter of the text, or of each word, as a capital and the others small.
std::string with_capitals(std::string text, bool each_word) {
  bool is_first = true;
  for (char& c : text) {
    check(static_cast<unsigned char>(c) < 0x80, "changing the case of other than ASCII letters is not supported: \"",
          text.substr(0, 100), "\"");
    const bool is_small = c >= 'a' && c <= 'z', is_capital = c >= 'A' && c <= 'Z';
    if (is_first ? is_small : is_capital) c = static_cast<char>(c ^ 0x20);
    is_first = each_word ? !is_small && !is_capital : false;
  }
  return text;
}

std::string with_ascii_case(std::string text, bool upper) {
  for (char& c : text) {
    check(static_cast<unsigned char>(c) < 0x80, "changing the case of other than ASCII letters is not ",
          "supported: \"", text.substr(0, 100), "\"");
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') c = static_cast<char>(c ^ 0x20);
  }
  return text;
}

Json split(std::string_view text, const Value& separator) {
  check(separator && separator->is_string() && !separator->empty(), "split needs a separator");
  const auto& by = separator->get_ref<const std::string&>();
  check(!by.empty(), "split needs a separator");
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

Json values_of(const Json& object) {
  Json values = Json::array();
  for (const auto& [key, value] : object.items()) values.push_back(value);
  return values;
}

Json pairs_of(const Json& object) {
  Json pairs = Json::array();
  for (const auto& [key, value] : object.items()) pairs.push_back(Json::array({key, value}));
  return pairs;
}

Value text_method(const std::string& name, const std::string& text, const Arguments& arguments) {
  const Value first = arguments.get(0, "");
  if (name == "strip") return Json(strip(text, first, true, true));
  if (name == "lstrip") return Json(strip(text, first, true, false));
  if (name == "rstrip") return Json(strip(text, first, false, true));
  if (name == "startswith") return Json(text.starts_with(to_text(first)));
  if (name == "endswith") return Json(text.ends_with(to_text(first)));
  if (name == "split" && arguments.values.empty() && arguments.named.empty()) return words_of(text);
  if (name == "split" && arguments.values.size() == 1) return split(text, first);
  if (name == "join") return Json(joined_by(text, first));
  if (name == "capitalize" || name == "title") return Json(with_capitals(text, name == "title"));
  if (name == "replace") return Json(replace_all(text, to_text(first), to_text(arguments.get(1, ""))));
  if (name == "upper" || name == "lower") return Json(with_ascii_case(text, name == "upper"));
  refuse("the method ", name, " of a string is not supported");
}

}  // namespace

Json keys_of(const Json& object) {
  Json keys = Json::array();
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

Value method(const std::string& name, const Value& object, const Arguments& arguments) {
  check(object.has_value(), "the method ", name, " of something undefined");
  if (object->is_string()) return text_method(name, object->get_ref<const std::string&>(), arguments);
  if (object->is_object() && name == "items") return pairs_of(*object);
  if (object->is_object() && name == "keys") return keys_of(*object);
  if (object->is_object() && name == "values") return values_of(*object);
  if (object->is_object() && name == "get") {
    const Value found = item(object, arguments.get(0, "key"));
    const Value otherwise = arguments.get(1, "default");
    return found ? found : otherwise ? otherwise : Value(Json(nullptr));
  }
  refuse("the method ", name, " of ", object->type_name(), " is not supported");
}

namespace {

std::string now_as(const std::string& format) {
  const std::time_t time = std::time(nullptr);
  std::tm local{};
  localtime_r(&time, &local);
  std::array<char, 256> shown{};
  const std::size_t size = std::strftime(shown.data(), shown.size(), format.c_str(), &local);
  return {shown.data(), size};
}

Json range(const Arguments& arguments) {
  const auto number = [&](std::size_t place) {
    const Value value = arguments.get(place, "");
    check(value && value->is_number_integer(), "range() of other than whole numbers");
    return value->get<std::int64_t>();
  };
  const std::size_t count = arguments.values.size();
  const std::int64_t begin = count > 1 ? number(0) : 0, end = number(count > 1 ? 1 : 0);
  const std::int64_t by = count > 2 ? number(2) : 1;
  check(by != 0 && by > -kMostItems && by < kMostItems, "range() with a step of ", by);
  Json numbers = Json::array();
  for (std::int64_t i = begin; by > 0 ? i < end : i > end; i += by) {
    check(static_cast<std::int64_t>(numbers.size()) < kMostItems, "range() of more than ", kMostItems, " steps");
    numbers.push_back(i);
  }
  return numbers;
}

}  // namespace

bool is_function(const std::string& name) {
  return name == "raise_exception" || name == "namespace" || name == "range" || name == "strftime_now";
}

Value function(const std::string& name, const Arguments& arguments) {
  if (name == "raise_exception") {
    const std::string reason = to_text(arguments.get(0, "message")).substr(0, 2000);
    refuse("it does not accept this conversation: ", repair_utf8(reason).text);
  }
  if (name == "namespace") {
    Json space = Json::object();
    for (const auto& [key, value] : arguments.named) space[key] = value.value_or(nullptr);
    return space;
  }
  if (name == "range") return range(arguments);
  if (name == "strftime_now") return Json(now_as(to_text(arguments.get(0, "format"))));
  refuse("the function ", name, "() is not supported");
}

}  // namespace lathe::jinja
