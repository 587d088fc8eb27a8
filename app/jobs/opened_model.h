#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/history.h"
#include "model/data/event.h"
#include "model/data/receipt.h"
#include "model/io/tokenizer.h"
#include "model/nn/layer.h"

namespace lathe {

/// The model at one point of its history. Revisions share every layer that did not change.
struct Revision {
  Model model;
  std::string sha256;              ///< of all tensors
  std::optional<Receipt> receipt;  ///< of the conversion that led here, also after training
};

/// The model the user works on: what was opened, and all that was done to it since.
/// history.first() is the original: the twin for comparison and the teacher for healing.
struct OpenedModel {
  std::string name;
  std::string path;
  std::string format;
  Tokenizer tokenizer;
  History<Revision> history;
  std::string saved_sha256;           ///< of what is on disk
  std::vector<std::string> warnings;  ///< oddities of its files that did not keep it from opening

  const Model& model() const { return history.current().model; }
  const Model& original() const { return history.first().model; }
};

/// A line for the log: "Opened tiny: safetensors, F32, 75 tensors, 3.4 MB as f32 on cpu in 0.1 s".
std::string opening_of(const OpenedModel& opened, double seconds);

/// What the views may know of it.
ModelInfo info_of(const OpenedModel& opened);

}  // namespace lathe
