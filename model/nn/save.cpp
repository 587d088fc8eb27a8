#include "model/nn/save.h"

#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/io/model_folder.h"
#include "model/nn/names.h"
#include "model/nn/stored_parts.h"

namespace lathe {
namespace {

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
TensorSource source_of(const at::Tensor& tensor, const StoredPart& part, const std::shared_ptr<at::Tensor>& on_host) {
  const auto bytes = [tensor, part, on_host] {
    std::int64_t count = 1;
    for (const std::int64_t size : part.shape) count *= size;
    *on_host = tensor.detach().contiguous().view({-1}).narrow(0, part.first_value, count).cpu();
    return std::span(static_cast<const std::byte*>(on_host->const_data_ptr()), on_host->nbytes());
  };
  return {.name = part.name, .dtype = names_of(tensor.scalar_type()).stored, .shape = part.shape, .bytes = bytes};
}

}  // namespace

void save_model(const Model& model, const std::filesystem::path& folder, const SideFiles& side_files, const Job& job) {
  nlohmann::json config = config_to_json(model.config);
  config["torch_dtype"] = names_of(model.dtype()).config;
  ModelFolder content;
  content.files.push_back({"config.json", config.dump(2) + "\n"});
  for (const auto& [name, file] : side_files) content.files.push_back({name, file});
  const auto on_host = std::make_shared<at::Tensor>();
  for (const NamedTensor& named : model_tensors(model)) {
    for (const StoredPart& part : stored_parts(named.name, named.tensor.sizes())) {
      content.tensors.push_back(source_of(named.tensor, part, on_host));
    }
  }
  save_model_folder(folder, content, job);
}

}  // namespace lathe
