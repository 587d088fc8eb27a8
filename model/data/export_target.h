#pragma once

#include <optional>
#include <string>

#include "model/data/error.h"

namespace lathe {

/// A form that a model can leave Lathe in, and whether the model at hand fits it exactly.
struct ExportTarget {
  std::string name;                                  ///< as the command line has it: "hf", "deepseek-v3"
  std::string title;                                 ///< "DeepSeek-V3 (stock transformers)"
  std::string about;                                 ///< what opens it, in a sentence
  std::optional<ErrorParts> refusal = std::nullopt;  ///< why not, and the nearest target that fits
};

}  // namespace lathe
