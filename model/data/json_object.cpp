#include "model/data/json_object.h"

#include <cmath>
#include <utility>

#include "model/data/error.h"

namespace lathe {
namespace {

// Long values would bury the message.
std::string shortened(const nlohmann::json& json) {
  constexpr std::size_t kLongest = 60;
  std::string dump = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (dump.size() > kLongest) dump = dump.substr(0, kLongest) + "...";
  return dump;
}

bool fits_int64(const nlohmann::json& json) {
  if (!json.is_number_integer()) return false;
  return !json.is_number_unsigned() || json.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
}

}  // namespace

JsonObject::JsonObject(const nlohmann::json& json, std::string where) : json_(&json), where_(std::move(where)) {
  check(json.is_object(), "[", where_, "] got ", shortened(json), ", expected a JSON object {...}");
}

const nlohmann::json* JsonObject::find(const std::string& key) {
  asked_.insert(key);
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

const nlohmann::json& JsonObject::require(const std::string& key) {
  const nlohmann::json* found = find(key);
  check(found != nullptr, "[", where_, "] the key \"", key, "\" is missing");
  return *found;
}

void JsonObject::refuse(const std::string& key, const nlohmann::json& got, const char* expected) const {
  throw Error(text("[", where_, "] \"", key, "\": got ", shortened(got), ", expected ", expected));
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
  throw Error(text("[", where_, "] unknown: ", unknown, "; known: ", known));
}

}  // namespace lathe
