#include "app/frame_cost.h"

#include <nlohmann/json.hpp>

namespace lathe {

nlohmann::json measure_frame_cost(const ModelConfig&) { return nullptr; }

}  // namespace lathe
