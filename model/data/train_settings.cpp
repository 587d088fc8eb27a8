#include "model/data/train_settings.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "model/data/error.h"
#include "model/data/json_object.h"

namespace lathe {
namespace {

constexpr std::array<std::pair<Trainable, std::string_view>, 5> kTrainable = {{{Trainable::Converted, "converted"},
                                                                               {Trainable::Routers, "routers"},
                                                                               {Trainable::Experts, "experts"},
                                                                               {Trainable::Attention, "attention"},
                                                                               {Trainable::All, "all"}}};
constexpr std::array<std::pair<TrainPrecision, std::string_view>, 3> kPrecision = {
    {{TrainPrecision::Auto, "auto"}, {TrainPrecision::F32, "f32"}, {TrainPrecision::Bf16, "bf16"}}};

template <typename Table>
auto from_name(const Table& table, const char* key, const std::string& name) {
  std::string known;
  for (const auto& [value, word] : table) {
    if (word == name) return value;
    known += text(known.empty() ? "" : ", ", word);
  }
  throw Error(text("[train settings] '", key, "': got '", name, "', expected one of ", known));
}

template <typename Table, typename Value>
std::string name_in(const Table& table, Value wanted) {
  for (const auto& [value, word] : table) {
    if (value == wanted) return std::string(word);
  }
  return {};
}

std::uint64_t read_seed(const nlohmann::json& json, JsonObject& object, std::uint64_t otherwise) {
  if (!object.has("seed")) return otherwise;
  const nlohmann::json& seed = json.at("seed");
  // A JSON number without a sign is unsigned for the parser, but a number that a program put there may be signed.
  const bool whole = seed.is_number_unsigned() || (seed.is_number_integer() && seed.get<std::int64_t>() >= 0);
  check(whole, "[train settings] 'seed': got ", seed.dump(), ", expected a whole number of 0 or more");
  return seed.get<std::uint64_t>();
}

}  // namespace

Trainable trainable_from_name(const std::string& name) { return from_name(kTrainable, "trainable", name); }
std::string trainable_name(Trainable trainable) { return name_in(kTrainable, trainable); }
TrainPrecision train_precision_from_name(const std::string& name) { return from_name(kPrecision, "precision", name); }
std::string train_precision_name(TrainPrecision precision) { return name_in(kPrecision, precision); }

std::vector<std::string> train_problems(const TrainSettings& settings) {
  std::vector<std::string> problems;
  const auto at_least = [&](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least) problems.push_back(text(name, " is ", value, "; expected ", least, " or more"));
  };
  const auto within = [&](const char* name, double value, bool holds, const char* expected) {
    if (!std::isfinite(value) || !holds) problems.push_back(text(name, " is ", value, "; expected ", expected));
  };
  at_least("steps", settings.steps, 1);
  at_least("seq_len", settings.seq_len, 2);
  at_least("batch", settings.batch, 1);
  at_least("accumulate", settings.accumulate, 1);
  at_least("warmup_steps", settings.warmup_steps, 0);
  at_least("eval_every", settings.eval_every, 0);
  at_least("save_every", settings.save_every, 0);
  within("lr", settings.lr, settings.lr > 0, "above 0");
  within("min_lr_ratio", settings.min_lr_ratio, settings.min_lr_ratio >= 0 && settings.min_lr_ratio <= 1, "0 to 1");
  within("weight_decay", settings.weight_decay, settings.weight_decay >= 0, "0 or more");
  within("beta1", settings.beta1, settings.beta1 >= 0 && settings.beta1 < 1, "0 or more, below 1");
  within("beta2", settings.beta2, settings.beta2 >= 0 && settings.beta2 < 1, "0 or more, below 1");
  within("eps", settings.eps, settings.eps > 0, "above 0");
  within("max_grad_norm", settings.max_grad_norm, settings.max_grad_norm >= 0, "0 (no clipping) or more");
  within("balance_weight", settings.balance_weight, settings.balance_weight >= 0, "0 or more");
  within("kl_weight", settings.kl_weight, settings.kl_weight >= 0, "0 or more");
  within("bias_update_speed", settings.bias_update_speed, settings.bias_update_speed >= 0, "0 or more");
  return problems;
}

nlohmann::json train_settings_to_json(const TrainSettings& settings) {
  return {{"text", settings.text},
          {"trainable", trainable_name(settings.trainable)},
          {"steps", settings.steps},
          {"seq_len", settings.seq_len},
          {"batch", settings.batch},
          {"accumulate", settings.accumulate},
          {"lr", settings.lr},
          {"warmup_steps", settings.warmup_steps},
          {"min_lr_ratio", settings.min_lr_ratio},
          {"weight_decay", settings.weight_decay},
          {"beta1", settings.beta1},
          {"beta2", settings.beta2},
          {"eps", settings.eps},
          {"max_grad_norm", settings.max_grad_norm},
          {"balance_weight", settings.balance_weight},
          {"kl_weight", settings.kl_weight},
          {"bias_update_speed", settings.bias_update_speed},
          {"precision", train_precision_name(settings.precision)},
          {"seed", settings.seed},
          {"eval_every", settings.eval_every},
          {"save_every", settings.save_every},
          {"run_folder", settings.run_folder}};
}

TrainSettings train_settings_from_json(const nlohmann::json& json) {
  JsonObject object(json, "train settings");
  TrainSettings settings;
  settings.text = object.string("text", settings.text);
  settings.trainable = trainable_from_name(object.string("trainable", trainable_name(settings.trainable)));
  settings.steps = object.integer("steps", settings.steps);
  settings.seq_len = object.integer("seq_len", settings.seq_len);
  settings.batch = object.integer("batch", settings.batch);
  settings.accumulate = object.integer("accumulate", settings.accumulate);
  settings.lr = object.number("lr", settings.lr);
  settings.warmup_steps = object.integer("warmup_steps", settings.warmup_steps);
  settings.min_lr_ratio = object.number("min_lr_ratio", settings.min_lr_ratio);
  settings.weight_decay = object.number("weight_decay", settings.weight_decay);
  settings.beta1 = object.number("beta1", settings.beta1);
  settings.beta2 = object.number("beta2", settings.beta2);
  settings.eps = object.number("eps", settings.eps);
  settings.max_grad_norm = object.number("max_grad_norm", settings.max_grad_norm);
  settings.balance_weight = object.number("balance_weight", settings.balance_weight);
  settings.kl_weight = object.number("kl_weight", settings.kl_weight);
  settings.bias_update_speed = object.number("bias_update_speed", settings.bias_update_speed);
  settings.precision = train_precision_from_name(object.string("precision", train_precision_name(settings.precision)));
  settings.seed = read_seed(json, object, settings.seed);
  settings.eval_every = object.integer("eval_every", settings.eval_every);
  settings.save_every = object.integer("save_every", settings.save_every);
  settings.run_folder = object.string("run_folder", settings.run_folder);
  object.refuse_unknown_keys();
  return settings;
}

}  // namespace lathe
