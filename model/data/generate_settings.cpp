#include "model/data/generate_settings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "model/data/error.h"

namespace lathe {
namespace {

constexpr std::array<std::string_view, 10> kKeys = {"prompt", "chat",  "max_new_tokens",     "temperature", "top_k",
                                                    "top_p",  "min_p", "repetition_penalty", "seed",        "stop"};

std::string known_keys() {
  std::string keys;
  for (const std::string_view key : kKeys) keys += text(keys.empty() ? "" : ", ", key);
  return keys;
}

/// Sets `value` from json[key] if it is there; the key's absence keeps the default.
template <typename T>
void read(const nlohmann::json& json, const char* key, T& value) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  try {
    found->get_to(value);
  } catch (const nlohmann::json::exception&) {
    throw Error(text("[generate settings] '", key, "' has the wrong type; got ", found->dump(), ", expected ",
                     nlohmann::json(value).type_name()));
  }
}

/// nlohmann::json would turn 1.9 into 1, true into 1 and -1 into the largest seed without a word.
void check_integer(const nlohmann::json& json, const char* key, bool negative_too) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  const bool negative = found->is_number_integer() && !found->is_number_unsigned() && found->get<std::int64_t>() < 0;
  check(found->is_number_integer() && (negative_too || !negative), "[generate settings] '", key,
        "' has the wrong type; got ", found->dump(), ", expected a whole number", negative_too ? "" : " of 0 or more");
}

}  // namespace

std::vector<std::string> generate_problems(const GenerateSettings& settings) {
  std::vector<std::string> problems;
  const auto require = [&](bool holds, const auto&... parts) {
    if (!holds) problems.push_back(text(parts...));
  };
  require(settings.max_new_tokens >= 0, "max_new_tokens is ", settings.max_new_tokens, "; expected 0 or more");
  require(std::isfinite(settings.temperature) && settings.temperature >= 0, "temperature is ", settings.temperature,
          "; expected 0 (greedy) or more");
  require(settings.top_k >= 0, "top_k is ", settings.top_k, "; expected 0 (off) or more");
  require(settings.top_p > 0 && settings.top_p <= 1, "top_p is ", settings.top_p,
          "; expected above 0, at most 1 (off)");
  require(settings.min_p >= 0 && settings.min_p <= 1, "min_p is ", settings.min_p, "; expected 0 (off) to 1");
  require(std::isfinite(settings.repetition_penalty) && settings.repetition_penalty > 0, "repetition_penalty is ",
          settings.repetition_penalty, "; expected above 0, where 1 is off");
  require(std::ranges::none_of(settings.stop, &std::string::empty), "a stop string is empty; leave it out instead");
  return problems;
}

nlohmann::json generate_settings_to_json(const GenerateSettings& settings) {
  return {{"prompt", settings.prompt},
          {"chat", settings.chat},
          {"max_new_tokens", settings.max_new_tokens},
          {"temperature", settings.temperature},
          {"top_k", settings.top_k},
          {"top_p", settings.top_p},
          {"min_p", settings.min_p},
          {"repetition_penalty", settings.repetition_penalty},
          {"seed", settings.seed},
          {"stop", settings.stop}};
}

GenerateSettings generate_settings_from_json(const nlohmann::json& json) {
  check(json.is_object(), "[generate settings] got ", json.type_name(), ", expected an object");
  for (const auto& item : json.items()) {
    check(std::ranges::find(kKeys, item.key()) != kKeys.end(), "[generate settings] unknown key '", item.key(),
          "'; known keys: ", known_keys());
  }
  for (const char* key : {"max_new_tokens", "top_k"}) check_integer(json, key, /*negative_too=*/true);
  check_integer(json, "seed", /*negative_too=*/false);
  GenerateSettings settings;
  read(json, "prompt", settings.prompt);
  read(json, "chat", settings.chat);
  read(json, "max_new_tokens", settings.max_new_tokens);
  read(json, "temperature", settings.temperature);
  read(json, "top_k", settings.top_k);
  read(json, "top_p", settings.top_p);
  read(json, "min_p", settings.min_p);
  read(json, "repetition_penalty", settings.repetition_penalty);
  read(json, "seed", settings.seed);
  read(json, "stop", settings.stop);
  return settings;
}

}  // namespace lathe
