#pragma once

#include <string>
#include <vector>

#include "model/io/unpickler.h"

namespace lathe {

/// A named tensor of a pickle: still a note of how PyTorch would rebuild it.
struct NamedTensorValue {
  std::string name;
  const PickleValue* tensor = nullptr;
};

/// The tensors that are a model, and what was done to find them, a sentence each.
struct StateDict {
  std::vector<NamedTensorValue> tensors;
  std::vector<std::string> notes;
};

/// Finds the dictionary of tensors: the pickle's own, or the one that a training script put beside its other things
/// under a usual name ("model", "state_dict" ...). Takes off what wrappers put before every name ("module.").
/// Throws Error (E_SCHEMA, E_NAME, E_DUP_KEY).
StateDict find_state_dict(const Pickle& pickle, const std::string& path);

}  // namespace lathe
