#include "model/io/checkpoint.h"

#include <algorithm>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/mapped_file.h"
#include "model/io/model_folder.h"
#include "model/io/open_checkpoint.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSupported =
    "supported are a Hugging Face folder (config.json and .safetensors), a .gguf and a .safetensors file";

bool has_safetensors(const fs::path& folder) {
  const auto entries = fs::directory_iterator(folder);
  return std::any_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.path().extension() == ".safetensors" || entry.path().string().ends_with(".safetensors.index.json");
  });
}

/// The single .gguf of a folder that holds no safetensors model, or an empty path.
fs::path only_gguf(const fs::path& folder) {
  fs::path found;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    found = entry.path();
    ++count;
  }
  check(count <= 1, "[open] the folder holds ", count, " .gguf files; open one of them; folder: ", folder.string());
  return found;
}

Checkpoint open_folder(const fs::path& folder, const Job& job) {
  // Folders of GGUF files often carry the config.json of the model that they were made from.
  if (!fs::exists(folder / "config.json") || !has_safetensors(folder)) {
    if (const fs::path gguf = only_gguf(folder); !gguf.empty()) return open_gguf_checkpoint(gguf);
  }
  return open_safetensors_folder(folder, job);
}

[[noreturn]] void unsupported(const fs::path& path) {
  const std::string foreign = describe_foreign_file(MappedFile(path).bytes());
  throw Error(text("[open] ", foreign.empty() ? "not a kind of model that Lathe can open" : foreign, "; ", kSupported,
                   "; file: ", path.string()));
}

}  // namespace

const TensorEntry* Checkpoint::find(std::string_view name) const {
  const auto found = parts_.tensors.find(name);
  return found == parts_.tensors.end() ? nullptr : &found->second;
}

const TensorEntry& Checkpoint::at(std::string_view name) const {
  const TensorEntry* entry = find(name);
  check(entry != nullptr, "[open] the model has no tensor \"", name, "\"; path: ", path().string());
  return *entry;
}

std::int64_t Checkpoint::tensor_bytes() const {
  std::int64_t total = 0;
  for (const auto& [name, entry] : parts_.tensors) total += entry.num_bytes();
  return total;
}

Checkpoint open_checkpoint(const fs::path& path, const Job& job) {
  job.progress("opening", "files", 0, 1);
  recover_model_folder(path);
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  check(fs::exists(status), "[open] there is no such file or folder; ", kSupported, "; path: ", path.string());
  try {
    if (fs::is_directory(status)) return open_folder(path, job);
    if (path.extension() == ".gguf") return open_gguf_checkpoint(path);
    if (path.extension() == ".safetensors") return open_safetensors_file(path, job);
  } catch (const fs::filesystem_error& error) {
    throw Error(text("[open] ", error.code().message(), "; path: ", path.string()));
  }
  unsupported(path);
}

}  // namespace lathe
