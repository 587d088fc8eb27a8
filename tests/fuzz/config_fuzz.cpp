#include <nlohmann/json.hpp>

#include "model/data/config.h"
#include "model/data/sizes.h"
#include "model/io/json_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  ModelConfig config;
  if (!accepts([&] { config = config_from_json(parse_json(as_text(data, size), "config.json")); })) return 0;
  require(config_from_json(config_to_json(config)) == config, "a config that is written reads the same");
  return 0;
}
