#include "app/jobs/export_gguf.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>

#include "model/data/stock_classes.h"
#include "model/io/checkpoint.h"
#include "model/io/gguf_export.h"
#include "model/nn/compare.h"
#include "model/nn/load.h"
#include "model/nn/stock_tensors.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

struct GgufForm {
  std::string_view name;
  StoredType type;
  std::string_view title;
  double tolerance = 0.0;  // of the logits' size; infinite: reported only
};

constexpr double kReported = std::numeric_limits<double>::infinity();
constexpr std::array<GgufForm, 5> kForms{{{"gguf-f32", DType::F32, "GGUF, F32", 1e-4},
                                          {"gguf-f16", DType::F16, "GGUF, F16", 5e-2},
                                          {"gguf-bf16", DType::BF16, "GGUF, BF16", 5e-2},
                                          {"gguf-q8_0", QuantType::Q8_0, "GGUF, Q8_0", kReported},
                                          {"gguf-q4_0", QuantType::Q4_0, "GGUF, Q4_0", kReported}}};

/// Rows of a tensor as f32, made when the first of them is asked for and kept until another tensor's turn.
RowSource source_of(const ExportedTensor& tensor, const std::shared_ptr<std::pair<std::string, at::Tensor>>& current) {
  const auto read = [tensor, current](std::int64_t first, std::int64_t count, std::span<float> out) {
    if (current->first != tensor.name) {
      *current = {tensor.name, tensor.values().detach().to(at::kFloat).cpu().contiguous()};
    }
    const std::int64_t length = tensor.shape.empty() ? 1 : tensor.shape.back();
    const float* values = current->second.const_data_ptr<float>() + first * length;
    std::copy(values, values + count * length, out.data());
  };
  return {.name = tensor.name, .shape = tensor.shape, .read_rows = read};
}

GgufModel gguf_model(const OpenedModel& opened, StoredType type) {
  const Model& model = opened.model();
  GgufModel gguf{
      .name = opened.name, .config = model.config, .tensors = {}, .tokenizer = opened.tokenizer.files(), .type = type};
  const auto current = std::make_shared<std::pair<std::string, at::Tensor>>();
  for (const ExportedTensor& tensor : stock_tensors("hf", model, model.dtype())) {
    gguf.tensors.push_back(source_of(tensor, current));
  }
  return gguf;
}

/// In a folder that is there the file is named after the model; a name without .gguf gets it, or nothing would open it.
fs::path place_of(const OpenedModel& opened, const ExportModel& what) {
  fs::path path = what.path;
  if (fs::is_directory(path)) path /= text(opened.name, "-", what.form.substr(std::string_view("gguf-").size()));
  if (path.extension() != ".gguf") path += ".gguf";
  return path;
}

void check_logits(const ModelDifference& difference, const GgufForm& form, const fs::path& path) {
  const double most = 1e-4 + form.tolerance * difference.logit_size;
  if (difference.logits <= most || (std::isinf(form.tolerance) && std::isfinite(difference.logits))) return;
  throw Error({.code = ErrorCode::Verify,
               .what = "what was read back gives other logits",
               .where = path.string(),
               .got = text("a difference of ", difference.logits),
               .expected = text("at most ", most),
               .hint = "what was there before is untouched; export as hf, and report this"});
}

}  // namespace

std::vector<ExportTarget> all_export_targets(const ModelConfig& config) {
  std::vector<ExportTarget> targets = export_targets(config);
  const auto refusal = gguf_refusal(config);
  for (const GgufForm& form : kForms) {
    targets.push_back({std::string(form.name), std::string(form.title), "One file that llama.cpp runs.", refusal});
  }
  return targets;
}

std::optional<StoredType> gguf_type_of(std::string_view form) {
  for (const GgufForm& one : kForms) {
    if (one.name == form) return one.type;
  }
  return std::nullopt;
}

Exported export_gguf(const OpenedModel& opened, const ExportModel& what, const Job& job) {
  const auto* form = std::ranges::find(kForms, what.form, &GgufForm::name);
  const Model& model = opened.model();
  const fs::path path = place_of(opened, what);
  Exported exported;
  exported.form = what.form;
  exported.path = path.string();
  const auto verify = [&](const fs::path& beside) {
    const Model again = load_model(open_checkpoint(beside), {.device = model.device(), .dtype = model.dtype()}, job);
    const ModelDifference difference = compare_models(model, again, job);
    check_logits(difference, *form, path);
    exported.tensors = difference.tensors;
    exported.logit_difference = difference.logits;
    exported.tokens = difference.tokens;
  };
  WrittenFile written = write_gguf_model(path, gguf_model(opened, form->type), job, verify);
  exported.files = {{std::move(written.name), written.bytes, std::move(written.sha256)}};
  return exported;
}

}  // namespace lathe
