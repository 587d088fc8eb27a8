#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/devices.h"
#include "converters/recipes.h"
#include "converters/registry.h"

namespace lathe {
namespace {

void print_recipes(const CliOptions& options) {
  nlohmann::json list = nlohmann::json::array();
  for (const Recipe& recipe : list_recipes(assets_folder() / "recipes")) {
    list.push_back({{"name", recipe.name}, {"path", recipe.path}, {"plan", plan_to_json(recipe.plan)}});
    if (options.json) continue;
    std::printf("%-20s %2lld MLA, %2lld MoE  %s\n", recipe.name.c_str(), static_cast<long long>(recipe.plan.num_mla()),
                static_cast<long long>(recipe.plan.num_moe()), recipe.plan.description.c_str());
  }
  if (options.json) print_json(list);
}

nlohmann::json method_to_json(const MethodInfo& method) {
  nlohmann::json knobs = nlohmann::json::array();
  for (const Knob& knob : method.knobs) {
    knobs.push_back({{"key", knob.key}, {"range", knob.range}, {"default", knob.fallback}, {"meaning", knob.meaning}});
  }
  return {{"name", method.name},
          {"part", method.part == LayerPart::Attention ? "attention" : "feed_forward"},
          {"summary", method.summary},
          {"source", method.source},
          {"exact_when", method.exact_when},
          {"knobs", std::move(knobs)}};
}

void print_methods(const CliOptions& options) {
  nlohmann::json list = nlohmann::json::array();
  for (const MethodInfo& method : methods()) list.push_back(method_to_json(method));
  if (options.json) return print_json(list);
  for (const auto& method : list) {
    std::printf("%s  (%s)\n  %s\n  exact when: %s\n  source: %s\n", method["name"].get<std::string>().c_str(),
                method["part"].get<std::string>().c_str(), method["summary"].get<std::string>().c_str(),
                method["exact_when"].get<std::string>().c_str(), method["source"].get<std::string>().c_str());
    for (const auto& knob : method["knobs"]) {
      std::printf("    %-22s %-28s default %-8s %s\n", knob["key"].get<std::string>().c_str(),
                  knob["range"].get<std::string>().c_str(), knob["default"].get<std::string>().c_str(),
                  knob["meaning"].get<std::string>().c_str());
    }
  }
}

void print_devices(const CliOptions& options) {
  load_gpu();
  nlohmann::json list = nlohmann::json::array();
  for (const DeviceInfo& device : list_devices()) {
    list.push_back({{"name", device.name},
                    {"description", device.description},
                    {"memory_bytes", device.memory_bytes},
                    {"dtypes", device.dtypes}});
    if (options.json) continue;
    std::printf("%-8s %6.1f GB  %s\n", device.name.c_str(), static_cast<double>(device.memory_bytes) / 1e9,
                device.description.c_str());
  }
  if (options.json) print_json(list);
}

}  // namespace

void add_recipes(CLI::App& app, const CliOptions& options) {
  add_command(app, "recipes", "The plans that ship with the program", "lathe recipes --json")->callback([&options] {
    print_recipes(options);
  });
}

void add_methods(CLI::App& app, const CliOptions& options) {
  add_command(app, "methods", "The conversion methods and their settings", "lathe methods")->callback([&options] {
    print_methods(options);
  });
}

void add_devices(CLI::App& app, const CliOptions& options) {
  add_command(app, "devices", "What there is to compute on", "lathe devices --json")->callback([&options] {
    print_devices(options);
  });
}

}  // namespace lathe
