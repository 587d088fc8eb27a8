#include "model/nn/save.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/stock_classes.h"
#include "model/io/model_folder.h"
#include "model/nn/names.h"
#include "model/nn/stock_tensors.h"

namespace lathe {
namespace {

constexpr const char* kModelingFile = "modeling_lathe.py";

struct DtypeNames {
  DType stored;
  const char* config;  // as `torch_dtype` in config.json
};

DtypeNames names_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return {DType::F32, "float32"};
    case at::kBFloat16:
      return {DType::BF16, "bfloat16"};
    case at::kHalf:
      return {DType::F16, "float16"};
    default:
      throw Error(text("[save] dtype: got ", dtype, ", expected f32, bf16 or f16"));
  }
}

// One stored tensor at a time is copied to the host, and freed when the next takes its place.
TensorSource source_of(const ExportedTensor& tensor, at::ScalarType model_dtype,
                       const std::shared_ptr<at::Tensor>& on_host) {
  const at::ScalarType dtype = dtype_in(model_dtype, tensor.name);
  const auto bytes = [values = tensor.values, dtype, on_host] {
    *on_host = values().detach().to(dtype).contiguous().cpu();
    return std::span(static_cast<const std::byte*>(on_host->const_data_ptr()), on_host->nbytes());
  };
  return {.name = tensor.name, .dtype = names_of(dtype).stored, .shape = tensor.shape, .bytes = bytes};
}

nlohmann::json config_of(const Model& model, const std::string& form, const SideFiles& side_files) {
  if (form != "hf") return stock_class(form).config(model.config);
  nlohmann::json config = config_to_json(model.config);
  const bool has_code = std::ranges::any_of(side_files, [](const auto& file) { return file.first == kModelingFile; });
  if (has_code) {
    config["auto_map"] = {{"AutoConfig", "configuration_lathe.LatheConfig"},
                          {"AutoModelForCausalLM", "modeling_lathe.LatheForCausalLM"}};
  }
  return config;
}

}  // namespace

std::vector<WrittenFile> save_model(const Model& model, const std::filesystem::path& folder,
                                    const SideFiles& side_files, const Job& job, const SaveOptions& options) {
  const at::ScalarType dtype = options.dtype.value_or(model.dtype());
  const std::vector<ExportedTensor> tensors = stock_tensors(options.form, model, dtype);  // refuses what does not fit
  nlohmann::json config = config_of(model, options.form, side_files);
  config["torch_dtype"] = names_of(dtype).config;
  ModelFolder content;
  content.verify = options.verify;
  content.files.push_back({"config.json", config.dump(2) + "\n"});
  for (const auto& [name, file] : side_files) content.files.push_back({name, file});
  const auto on_host = std::make_shared<at::Tensor>();
  for (const ExportedTensor& tensor : tensors) content.tensors.push_back(source_of(tensor, dtype, on_host));
  return save_model_folder(folder, content, job);
}

}  // namespace lathe
