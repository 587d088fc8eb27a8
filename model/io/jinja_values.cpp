#include "model/io/jinja_values.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "model/io/jinja_error.h"
#include "model/io/unicode_classes.h"

namespace lathe::jinja {

namespace {

std::string kind_of(const Value& value) { return value ? value->type_name() : "undefined"; }

const Json& defined(const Value& value, const char* where) {
  check(value.has_value(), "", where, " of something undefined");
  return *value;
}

/// Rounds towards minus infinity, as Python's // does.
std::int64_t floor_div(std::int64_t left, std::int64_t right) {
  const std::int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Value whole_number(const std::string& op, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  bool overflows = false;
  if (op == "+") {
    overflows = __builtin_add_overflow(left, right, &result);
  } else if (op == "-") {
    overflows = __builtin_sub_overflow(left, right, &result);
  } else if (op == "*") {
    overflows = __builtin_mul_overflow(left, right, &result);
  } else {
    check(right != 0, "division by zero");
    overflows = left == INT64_MIN && right == -1;
    if (op == "/") return Json(static_cast<double>(left) / static_cast<double>(right));
    if (!overflows) result = op == "//" ? floor_div(left, right) : left - floor_div(left, right) * right;
  }
  check(!overflows, "a number is too large");
  return Json(result);
}

Value floating(const std::string& op, double left, double right) {
  if (op == "+") return Json(left + right);
  if (op == "-") return Json(left - right);
  if (op == "*") return Json(left * right);
  check(right != 0, "division by zero");
  if (op == "/") return Json(left / right);
  const double quotient = std::floor(left / right);
  return Json(op == "//" ? quotient : left - quotient * right);
}

bool compare(const std::string& op, const Json& left, const Json& right) {
  const bool same_kind = (left.is_number() && right.is_number()) || (left.is_string() && right.is_string());
  check(same_kind, "", left.type_name(), " ", op, " ", right.type_name(), " has no order");
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  return op == ">" ? left > right : left >= right;
}

}  // namespace

std::string number_text(double number) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  std::string shown(buffer, end);
  return shown.find_first_of(".en") == std::string::npos ? shown + ".0" : shown;
}

Value Arguments::get(std::size_t place, const std::string& name) const {
  if (place < values.size()) return values[place];
  for (const auto& [key, value] : named) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool is_true(const Value& value) {
  if (!value || value->is_null()) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number()) return value->get<double>() != 0;
  return value->is_string() ? !value->get_ref<const std::string&>().empty() : !value->empty();
}

std::string to_text(const Value& value) {
  if (!value) return "";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_null()) return "None";
  if (value->is_boolean()) return value->get<bool>() ? "True" : "False";
  if (value->is_number_integer()) return value->dump();
  check(value->is_number(), "printing an ", value->type_name(), " is not supported");
  return number_text(value->get<double>());
}

Value binary(const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return Json(left == right);
  if (op == "!=") return Json(left != right);
  if (op == "~") return Json(to_text(left) + to_text(right));
  const Json& a = defined(left, "arithmetic");
  const Json& b = defined(right, "arithmetic");
  if (op[0] == '<' || op[0] == '>') return Json(compare(op, a, b));
  if (op == "+" && a.is_string() && b.is_string()) return Json(a.get<std::string>() + b.get<std::string>());
  if (op == "+" && a.is_array() && b.is_array()) {
    Json joined = a;
    joined.insert(joined.end(), b.begin(), b.end());
    return joined;
  }
  check(a.is_number() && b.is_number(), "", a.type_name(), " ", op, " ", b.type_name(), " is not supported");
  if (a.is_number_integer() && b.is_number_integer()) {
    return whole_number(op, a.get<std::int64_t>(), b.get<std::int64_t>());
  }
  return floating(op, a.get<double>(), b.get<double>());
}

std::size_t find_in(std::string_view text, std::string_view part, std::size_t begin) {
  const void* found = ::memmem(text.data() + begin, text.size() - begin, part.data(), part.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

bool contains(const Value& container, const Value& item) {
  const Json& in = defined(container, "\"in\"");
  if (in.is_array()) return item && std::find(in.begin(), in.end(), *item) != in.end();
  const bool is_text = item && item->is_string();
  check(is_text && (in.is_object() || in.is_string()), "", kind_of(item), " in ", in.type_name(), " is not supported");
  const auto& text = item->get_ref<const std::string&>();
  return in.is_object() ? in.contains(text) : find_in(in.get_ref<const std::string&>(), text) != std::string::npos;
}

Json characters_of(const std::string& text) {
  Json characters = Json::array();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_char(text.data() + at).size;
    characters.push_back(text.substr(at, size));
    at += size;
  }
  return characters;
}

Value item(const Value& object, const Value& index) {
  const Json& of = defined(object, "an item");
  if (of.is_string() && index && index->is_number_integer()) {
    return item(characters_of(of.get_ref<const std::string&>()), index);
  }
  const Json* found = find_item(of, index);
  return found == nullptr ? Value() : Value(*found);
}

const Json* find_item(const Json& of, const Value& index) {
  if (of.is_object() && index && index->is_string()) {
    const auto found = of.find(index->get_ref<const std::string&>());
    return found == of.end() ? nullptr : &*found;
  }
  check(of.is_array() && index && index->is_number_integer(), "item ", kind_of(index), " of ", of.type_name(),
        " is not supported");
  const auto size = static_cast<std::int64_t>(of.size());
  const auto at = index->get<std::int64_t>();
  const std::int64_t place = at < 0 ? at + size : at;
  return place >= 0 && place < size ? &of[static_cast<std::size_t>(place)] : nullptr;
}

Value slice(const Value& object, const Value& begin, const Value& end, const Value& step) {
  const Json& list = defined(object, "a slice");
  const auto number = [](const Value& value, std::int64_t otherwise) {
    if (value && value->is_null()) return otherwise;
    check(value && value->is_number_integer(), "a slice by ", kind_of(value));
    return value->get<std::int64_t>();
  };
  if (list.is_string()) {
    std::string joined;
    const Value parts = slice(characters_of(list.get_ref<const std::string&>()), begin, end, step);
    for (const Json& part : *parts) joined += part.get_ref<const std::string&>();
    return Json(joined);
  }
  check(list.is_array(), "a slice of ", list.type_name(), " is not supported");
  const std::int64_t by = number(step, 1), size = static_cast<std::int64_t>(list.size());
  check(by == 1 || by == -1, "a slice with step ", by, " is not supported");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto place = [&](const Value& value, std::int64_t otherwise) {
    if (value && value->is_null()) return otherwise;
    const std::int64_t at = std::clamp(number(value, 0), -size - 1, size);
    return std::clamp(at < 0 ? at + size : at, low, high);
  };
  Json result = Json::array();
  const std::int64_t stop = place(end, by > 0 ? high : low);
  for (std::int64_t at = place(begin, by > 0 ? low : high); by > 0 ? at < stop : at > stop; at += by) {
    result.push_back(list[static_cast<std::size_t>(at)]);
  }
  return result;
}

}  // namespace lathe::jinja
