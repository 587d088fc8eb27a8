#include "app/jobs/opened_model.h"

#include <array>
#include <cstdio>

#include "app/devices.h"
#include "app/jobs/export_gguf.h"
#include "model/nn/names.h"

namespace lathe {

namespace {

std::shared_ptr<const std::vector<TensorInfo>> tensors_of(const Model& model) {
  auto tensors = std::make_shared<std::vector<TensorInfo>>();
  for (const NamedTensor& named : model_tensors(model)) {
    tensors->push_back({.name = named.name,
                        .shape = named.tensor.sizes().vec(),
                        .dtype = dtype_name(named.tensor.scalar_type()),
                        .bytes = static_cast<std::int64_t>(named.tensor.nbytes())});
  }
  return tensors;
}

}  // namespace

std::string opening_of(const OpenedModel& opened, double seconds) {
  const ModelInfo info = info_of(opened);
  std::array<char, 64> figures{};
  std::snprintf(figures.data(), figures.size(), "%.1f MB as %s", static_cast<double>(info.weight_bytes) / 1e6,
                info.dtype.c_str());
  std::string line = text("Opened ", opened.name, ": ", opened.format, ", ", model_tensors(opened.model()).size(),
                          " tensors, ", figures.data(), " on ", info.device);
  std::snprintf(figures.data(), figures.size(), " in %.2f s", seconds);
  return line + figures.data();
}

ModelInfo info_of(const OpenedModel& opened) {
  const Model& model = opened.model();
  ModelInfo info;
  info.name = opened.name;
  info.path = opened.path;
  info.device = describe(model.device());
  info.dtype = dtype_name(model.dtype());
  info.format = opened.format;
  info.config = model.config;
  info.sha256 = opened.history.current().sha256;
  info.tensors = tensors_of(model);
  info.original_tensors = opened.history.can_undo() ? tensors_of(opened.original()) : info.tensors;
  for (const TensorInfo& tensor : *info.tensors) info.weight_bytes += tensor.bytes;
  info.bytes_per_value = static_cast<std::int64_t>(c10::elementSize(model.dtype()));
  info.has_chat_template = !opened.tokenizer.chat_template().empty();
  info.differs_from_original = info.sha256 != opened.history.first().sha256;
  info.undo = opened.history.undo_titles();
  info.redo = opened.history.redo_titles();
  info.saved = info.sha256 == opened.saved_sha256;
  info.export_targets = all_export_targets(model.config);
  return info;
}

}  // namespace lathe
