#include "model/data/json_object.h"

#include <cmath>
#include <utility>

namespace lathe {
namespace {

constexpr const char* kHint = "correct the file, or make it again with the program that wrote it";

// Long values would bury the message.
std::string shortened(const nlohmann::json& json) {
  constexpr std::size_t kLongest = 60;
  std::string dump = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (dump.size() > kLongest) dump = dump.substr(0, kLongest) + "...";
  return dump;
}

/// The keys that there are, for messages.
std::string key_list(const nlohmann::json& object) {
  constexpr std::size_t kMaxListed = 12;
  std::string list;
  std::size_t listed = 0;
  for (const auto& item : object.items()) {
    if (listed++ == kMaxListed) return list + ", ...";
    list += (list.empty() ? "\"" : ", \"") + item.key() + "\"";
  }
  return list.empty() ? "none" : list;
}

bool fits_int64(const nlohmann::json& json) {
  if (!json.is_number_integer()) return false;
  return !json.is_number_unsigned() || json.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
}

}  // namespace

JsonObject::JsonObject(const nlohmann::json& json, std::string where) : json_(&json), where_(std::move(where)) {
  if (json.is_object()) return;
  throw Error({.code = ErrorCode::Schema,
               .what = "this part of the JSON is of another type",
               .where = where_,
               .got = shortened(json),
               .expected = "an object {...}",
               .hint = kHint});
}

const nlohmann::json* JsonObject::find(const std::string& key) {
  asked_.insert(key);
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& JsonObject::require(const std::string& key) {
  const nlohmann::json* found = find(key);
  if (found != nullptr) return *found;
  throw Error({.code = ErrorCode::Schema,
               .what = text("the key \"", key, "\" is missing"),
               .where = where_,
               .got = text("the keys ", key_list(*json_)),
               .expected = text("\"", key, "\""),
               .hint = kHint});
}

void JsonObject::refuse(const std::string& key, const nlohmann::json& got, const char* expected) const {
  throw Error({.code = ErrorCode::Schema,
               .what = text("the value of \"", key, "\" cannot be used"),
               .where = where_,
               .got = shortened(got),
               .expected = expected,
               .hint = kHint});
}

void JsonObject::refuse_value(std::string_view what, std::string got, std::string_view expected) const {
  throw Error({.code = ErrorCode::Config,
               .what = std::string(what),
               .where = where_,
               .got = std::move(got),
               .expected = std::string(expected),
               .hint = kHint});
}

bool JsonObject::has(const std::string& key) { return find(key) != nullptr; }

std::int64_t JsonObject::integer(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!fits_int64(json)) refuse(key, json, "an integer");
  return json.get<std::int64_t>();
}

std::int64_t JsonObject::integer(const std::string& key, std::int64_t otherwise) {
  return find(key) == nullptr ? otherwise : integer(key);
}

double JsonObject::number(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_number() || !std::isfinite(json.get<double>())) refuse(key, json, "a finite number");
  return json.get<double>();
}

double JsonObject::number(const std::string& key, double otherwise) {
  return find(key) == nullptr ? otherwise : number(key);
}

bool JsonObject::boolean(const std::string& key, bool otherwise) {
  const nlohmann::json* json = find(key);
  if (json == nullptr) return otherwise;
  if (!json->is_boolean()) refuse(key, *json, "true or false");
  return json->get<bool>();
}

std::string JsonObject::string(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_string()) refuse(key, json, "a string");
  return json.get<std::string>();
}

std::string JsonObject::string(const std::string& key, const std::string& otherwise) {
  return find(key) == nullptr ? otherwise : string(key);
}

std::vector<std::int64_t> JsonObject::integers(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_array()) refuse(key, json, "a list of integers");
  std::vector<std::int64_t> values;
  for (const nlohmann::json& item : json) {
    if (!fits_int64(item)) refuse(key, json, "a list of integers");
    values.push_back(item.get<std::int64_t>());
  }
  return values;
}

std::vector<double> JsonObject::numbers(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_array()) refuse(key, json, "a list of numbers");
  std::vector<double> values;
  for (const nlohmann::json& item : json) {
    if (!item.is_number() || !std::isfinite(item.get<double>())) refuse(key, json, "a list of finite numbers");
    values.push_back(item.get<double>());
  }
  return values;
}

std::vector<std::int64_t> JsonObject::integer_or_list(const std::string& key) {
  const nlohmann::json* json = find(key);
  if (json == nullptr) return {};
  if (json->is_array()) return integers(key);
  if (!fits_int64(*json)) refuse(key, *json, "an integer or a list of integers");
  return {json->get<std::int64_t>()};
}

const nlohmann::json& JsonObject::array(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_array()) refuse(key, json, "a list");
  return json;
}

JsonObject JsonObject::object(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_object()) refuse(key, json, "an object {...}");
  return {json, text(where_, ": ", key)};
}

std::vector<JsonObject> JsonObject::objects(const std::string& key) {
  const nlohmann::json& json = require(key);
  if (!json.is_array()) refuse(key, json, "a list of objects");
  std::vector<JsonObject> items;
  for (std::size_t i = 0; i < json.size(); ++i) items.emplace_back(json[i], text(where_, ": ", key, "[", i, "]"));
  return items;
}

void JsonObject::refuse_unknown_keys() const {
  std::string unknown;
  for (const auto& item : json_->items()) {
    if (!asked_.contains(item.key())) unknown += (unknown.empty() ? "\"" : ", \"") + item.key() + "\"";
  }
  if (unknown.empty()) return;
  std::string known;
  for (const std::string& key : asked_) known += (known.empty() ? "\"" : ", \"") + key + "\"";
  throw Error({.code = ErrorCode::Schema,
               .what = "there are keys that nothing reads",
               .where = where_,
               .got = unknown,
               .expected = text("only ", known),
               .hint = "take them out or correct their spelling"});
}

}  // namespace lathe
