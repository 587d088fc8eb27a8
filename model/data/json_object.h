#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/error.h"

namespace lathe {

/// Reads one JSON object strictly. Getters throw Error naming the object, the key, what was found and what was
/// expected; a key that is null counts as absent. Call refuse_unknown_keys() last where every key must be known.
class JsonObject {
 public:
  /// `where` names the object in messages ("config.json", "config.json: layers[3].attention"). Borrows `json`.
  JsonObject(const nlohmann::json& json, std::string where);

  bool has(const std::string& key);
  std::int64_t integer(const std::string& key);
  std::int64_t integer(const std::string& key, std::int64_t otherwise);
  double number(const std::string& key);
  double number(const std::string& key, double otherwise);
  bool boolean(const std::string& key, bool otherwise);
  std::string string(const std::string& key);
  std::string string(const std::string& key, const std::string& otherwise);
  std::vector<std::int64_t> integers(const std::string& key);
  std::vector<double> numbers(const std::string& key);
  const nlohmann::json& array(const std::string& key);
  JsonObject object(const std::string& key);
  std::vector<JsonObject> objects(const std::string& key);

  /// One integer or a list of integers; empty if absent.
  std::vector<std::int64_t> integer_or_list(const std::string& key);

  /// Throws Error listing every key that no getter asked for, and those that were.
  void refuse_unknown_keys() const;

  /// Throws Error (E_CONFIG) with these parts and the object's name when `holds` is false: for values that are of the
  /// right type and yet cannot be.
  template <typename Got>
  void expect(bool holds, std::string_view what, const Got& got, std::string_view expected) const {
    if (!holds) refuse_value(what, text(got), expected);
  }

  const std::string& where() const { return where_; }

 private:
  const nlohmann::json* find(const std::string& key);
  const nlohmann::json& require(const std::string& key);
  [[noreturn]] void refuse_value(std::string_view what, std::string got, std::string_view expected) const;
  [[noreturn]] void refuse(const std::string& key, const nlohmann::json& got, const char* expected) const;

  const nlohmann::json* json_;
  std::string where_;
  std::set<std::string> asked_;
};

}  // namespace lathe
