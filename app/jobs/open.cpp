#include "app/jobs/open.h"

#include <filesystem>
#include <set>

#include "app/assets.h"
#include "app/devices.h"
#include "model/io/checkpoint.h"
#include "model/nn/load.h"
#include "model/nn/names.h"

namespace lathe {
namespace {

std::string name_of(const std::filesystem::path& path) {
  const auto clean = std::filesystem::absolute(path).lexically_normal();
  return clean.has_filename() ? clean.stem().string() : clean.parent_path().filename().string();
}

/// "GGUF, Q4_1 and F32" or "safetensors, BF16".
std::string format_of(const Checkpoint& checkpoint) {
  std::set<std::string> types;
  for (const auto& [name, entry] : checkpoint.tensors()) types.insert(std::string(type_name(entry.type)));
  std::string format = checkpoint.gguf() != nullptr ? "GGUF" : "safetensors";
  for (const std::string& type : types) format += (type == *types.begin() ? ", " : " + ") + type;
  return format;
}

}  // namespace

OpenedModel open_model(const OpenModel& open, const Job& job) {
  const std::filesystem::path path = model_path(open.path);
  const at::Device device = choose_device(open.device);
  const LoadOptions options{.device = device, .dtype = choose_dtype(open.dtype, device)};

  const Checkpoint checkpoint = open_checkpoint(path, job);
  Tokenizer tokenizer = load_tokenizer(checkpoint.path());
  job.progress("Reading weights", "tensors", 0, static_cast<std::int64_t>(checkpoint.tensors().size()));
  Revision revision{.model = load_model(checkpoint, options, job), .sha256 = {}, .receipt = {}};
  revision.sha256 = model_sha256(revision.model);

  const std::string name = open.path == "default" ? "SmolLM2-135M-Instruct" : name_of(path);
  const std::string sha256 = revision.sha256;
  return {.name = name,
          .path = path.string(),
          .format = format_of(checkpoint),
          .tokenizer = std::move(tokenizer),
          .history = History<Revision>(std::move(revision)),
          .saved_sha256 = sha256};
}

}  // namespace lathe
