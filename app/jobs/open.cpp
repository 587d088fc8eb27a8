#include "app/jobs/open.h"

#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/preview.h"
#include "model/io/checkpoint.h"
#include "model/io/json_file.h"
#include "model/nn/load.h"
#include "model/nn/match_tensors.h"
#include "model/nn/names.h"
#include "model/nn/weight_values.h"
#include "model/train/init.h"

namespace lathe {
namespace {

std::string name_of(const std::filesystem::path& path) {
  const auto clean = std::filesystem::absolute(path).lexically_normal();
  return clean.has_filename() ? clean.stem().string() : clean.parent_path().filename().string();
}

/// Throws Error if the weights do not fit into what is free, before anything is allocated for them.
void check_memory(const ModelConfig& config, const LoadOptions& options, const std::string& path) {
  const std::vector<MemoryChoice> choices = memory_choices(config);
  const std::string device = options.device.is_cuda() ? options.device.str() : "cpu";
  if (auto refusal = memory_refusal(choices, chosen(choices, device, dtype_name(options.dtype)), path)) {
    throw Error(std::move(*refusal));
  }
}

void check_layers(const Receipt& receipt, std::int64_t num_layers) {
  for (const LayerReceipt& layer : receipt.layers) {
    check(layer.layer >= 0 && layer.layer < num_layers, "[receipt] it is of another model: it tells of layer ",
          layer.layer, ", this one has layers 0 to ", num_layers - 1);
  }
  for (const Receipt& earlier : receipt.earlier) check_layers(earlier, num_layers);
}

/// A model that has not learned anything: config.json and tokenizer of a folder, weights drawn from the seed.
OpenedModel start_model(const std::filesystem::path& folder, const std::filesystem::path& config_path,
                        std::uint64_t seed, const LoadOptions& options) {
  const auto place = [&](const std::string& name, const at::Tensor& tensor) {
    return tensor.to(options.device, dtype_in(options.dtype, name));
  };
  const nlohmann::json config = read_json_file(config_path.empty() ? folder / "config.json" : config_path);
  Model model = map_model(init_model(config_from_json(config), seed), place);
  Revision revision{.model = std::move(model), .sha256 = {}, .receipt = {}};
  revision.sha256 = model_sha256(revision.model);
  return {.name = name_of(folder),
          .path = folder.string(),
          .format = "random weights",
          .tokenizer = Tokenizer::from_folder(folder),
          .history = History<Revision>(std::move(revision)),
          .saved_sha256 = {},
          .warnings = {}};
}

}  // namespace

std::optional<Receipt> receipt_beside(const Checkpoint& checkpoint, std::int64_t num_layers,
                                      std::vector<std::string>& warnings) {
  const std::filesystem::path path = checkpoint.folder() / "receipt.json";
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) return std::nullopt;
  try {
    Receipt receipt = receipt_from_json(read_json_file(path));
    check_layers(receipt, num_layers);
    return receipt;
  } catch (const Error& error) {
    warnings.push_back(text("the receipt cannot be read, so the figures of the conversion are missing: ", error.what(),
                            "; file: ", path.string()));
    return std::nullopt;
  }
}

OpenedModel open_model(const OpenModel& open, const Job& job) {
  const std::filesystem::path path = model_path(open.path);
  const at::Device device = choose_device(open.device);
  const LoadOptions options{.device = device, .dtype = choose_dtype(open.dtype, device)};
  if (open.init_seed) return start_model(path, open.config, *open.init_seed, options);

  const Checkpoint checkpoint = open_checkpoint(path, job, open.config);
  check_tensors(match_tensors(checkpoint), path.string());
  Tokenizer tokenizer = load_tokenizer(checkpoint);
  malloc_trim(0);  // what its files took is not the weights' as well
  check_memory(config_from_json(checkpoint.config_json()), options, path.string());
  job.progress("Reading weights", "tensors", 0, static_cast<std::int64_t>(checkpoint.tensors().size()));
  Revision revision{.model = load_model(checkpoint, options, job), .sha256 = {}, .receipt = {}};
  revision.sha256 = model_sha256(revision.model);
  malloc_trim(0);  // what reading needed goes back to the system
  std::vector<std::string> warnings = checkpoint.warnings();
  std::ranges::move(non_finite_weights(revision.model), std::back_inserter(warnings));
  revision.receipt = receipt_beside(checkpoint, revision.model.config.num_layers(), warnings);

  const std::string name = open.path == "default" ? "SmolLM2-135M-Instruct" : name_of(path);
  const std::string sha256 = revision.sha256;
  return {.name = name,
          .path = path.string(),
          .format = format_of(checkpoint),
          .tokenizer = std::move(tokenizer),
          .history = History<Revision>(std::move(revision)),
          .saved_sha256 = sha256,
          .warnings = std::move(warnings)};
}

}  // namespace lathe
