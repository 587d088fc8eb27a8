#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/data/event.h"

namespace lathe {

nlohmann::json train_step_to_json(const TrainStep& step);
nlohmann::json generated_to_json(const Generated& generated);
nlohmann::json evaluated_to_json(const Evaluated& evaluated);
/// The object that `--json` prints for an error: code, what, where, got, expected, hint.
nlohmann::json error_to_json(const ErrorParts& error);
nlohmann::json exported_to_json(const Exported& exported);
nlohmann::json sizes_to_json(const Sizes& sizes);

}  // namespace lathe
