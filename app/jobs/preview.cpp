#include "app/jobs/preview.h"

#include <chrono>
#include <set>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/open.h"
#include "model/data/sizes.h"
#include "model/io/checkpoint.h"
#include "model/io/tokenizer.h"
#include "model/nn/match_tensors.h"

namespace lathe {
namespace {

std::int64_t bytes_of(const std::string& dtype) { return dtype == "f32" ? 4 : 2; }

/// What the files hold, whether or not the config fits them.
void describe_files(const Checkpoint& checkpoint, ModelPreview& preview) {
  preview.format = format_of(checkpoint);
  preview.stored_bytes = checkpoint.tensor_bytes();
  preview.warnings = checkpoint.warnings();
  for (const auto& [name, entry] : checkpoint.tensors()) ++preview.dtypes[std::string(type_name(entry.type))];
  const auto type = checkpoint.config_json().find("model_type");
  if (type != checkpoint.config_json().end() && type->is_string()) preview.architecture = type->get<std::string>();
}

void look(const PreviewModel& ask, const Job& job, ModelPreview& preview) {
  const Checkpoint checkpoint = open_checkpoint(model_path(ask.path), job, ask.config);
  describe_files(checkpoint, preview);
  preview.config = config_from_json(checkpoint.config_json());
  preview.memory = memory_choices(*preview.config);
  job.check();
  preview.tensors = match_tensors(checkpoint);
  check_tensors(preview.tensors, checkpoint.path().string());
  job.check();
  preview.tokenizer = describe_tokenizer(checkpoint);
  receipt_beside(checkpoint, preview.config->num_layers(), preview.warnings);
}

}  // namespace

std::vector<MemoryChoice> memory_choices(const ModelConfig& config) {
  std::vector<MemoryChoice> choices;
  const std::int64_t params = sizes_of(config).params;
  for (const DeviceInfo& device : list_devices()) {
    const std::int64_t free = free_memory(choose_device(device.name));
    for (const std::string& dtype : device.dtypes)
      choices.push_back({device.name, dtype, params * bytes_of(dtype), free});
  }
  return choices;
}

std::string describe_tokenizer(const Checkpoint& checkpoint) {
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  return text(tokenizer.vocab_size(), " tokens", tokenizer.chat_template().empty() ? "" : ", chat template");
}

std::string format_of(const Checkpoint& checkpoint) {
  std::set<std::string> types;
  for (const auto& [name, entry] : checkpoint.tensors()) types.insert(std::string(type_name(entry.type)));
  std::string format(checkpoint.format());
  for (const std::string& type : types) format += (type == *types.begin() ? ", " : " + ") + type;
  return format;
}

ModelPreview preview_model(const PreviewModel& ask, const Job& job) {
  const auto start = std::chrono::steady_clock::now();
  ModelPreview preview{.path = ask.path, .config_path = ask.config};
  try {
    look(ask, job, preview);
  } catch (const Error& error) {
    preview.refusal = error.parts();
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    preview.refusal = ErrorParts{.what = error.what()};
  }
  preview.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return preview;
}

}  // namespace lathe
