#include "model/io/checkpoint.h"

#include <algorithm>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/file_kind.h"
#include "model/io/gguf_parts.h"
#include "model/io/mapped_file.h"
#include "model/io/model_folder.h"
#include "model/io/open_checkpoint.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSupported =
    "a Hugging Face folder (config.json and .safetensors or .bin), a folder of Meta's (params.json and "
    "consolidated.00.pth), a .gguf, a .safetensors or a PyTorch file (.bin, .pt, .pth)";

bool has_safetensors(const fs::path& folder) {
  const auto entries = fs::directory_iterator(folder);
  return std::any_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.path().extension() == ".safetensors" || entry.path().string().ends_with(".safetensors.index.json");
  });
}

/// The single .gguf of a folder that holds no safetensors model, a part of it if it is split, or an empty path.
fs::path only_gguf(const fs::path& folder) {
  fs::path found;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const bool is_hidden = entry.path().filename().string().starts_with('.');  // as what a writer left is
    if (is_hidden || entry.path().extension() != ".gguf" || same_gguf_split(entry.path(), found)) continue;
    found = entry.path();
    ++count;
  }
  if (count > 1) {
    throw Error({.code = ErrorCode::Shard,
                 .what = "the folder holds several .gguf files",
                 .where = folder.string(),
                 .got = text(count, " .gguf files"),
                 .expected = "one model",
                 .hint = "open one of them"});
  }
  return found;
}

Checkpoint open_gguf(const fs::path& path, const fs::path& config_path) {
  if (config_path.empty()) return open_gguf_checkpoint(path);
  throw Error({.code = ErrorCode::Config,
               .what = "a GGUF file holds its own config",
               .where = path.string(),
               .got = text("--config ", config_path.string()),
               .expected = "no other config",
               .hint = "open it without one"});
}

Checkpoint open_folder(const fs::path& folder, const fs::path& config_path, const Job& job) {
  // Folders of GGUF files often carry the config.json of the model that they were made from.
  if (!fs::exists(folder / "config.json") || !has_safetensors(folder)) {
    if (const fs::path gguf = only_gguf(folder); !gguf.empty()) {
      remove_leftovers(gguf);
      return open_gguf(gguf, config_path);
    }
    if (holds_pytorch(folder)) return open_pytorch_folder(folder, config_path, job);
  }
  return open_safetensors_folder(folder, config_path, job);
}

[[noreturn]] void unsupported(const fs::path& path) {
  ErrorParts parts = describe_foreign_file(MappedFile(path).bytes())
                         .value_or(ErrorParts{.code = ErrorCode::WrongFormat,
                                              .what = "this is not a kind of model that Lathe can open",
                                              .got = text("a file that ends in \"", path.extension().string(), "\""),
                                              .hint = "choose the model's folder or its weights"});
  parts.expected = kSupported;
  parts.where = path.string();
  throw Error(std::move(parts));
}

}  // namespace

const TensorEntry* Checkpoint::find(std::string_view name) const {
  const auto found = parts_.tensors.find(name);
  return found == parts_.tensors.end() ? nullptr : &found->second;
}

const TensorEntry& Checkpoint::at(std::string_view name) const {
  const TensorEntry* entry = find(name);
  if (entry != nullptr) return *entry;
  throw Error({.code = ErrorCode::Shard,
               .what = text("the model has no tensor \"", name, "\""),
               .where = path().string(),
               .got = text(tensors().size(), " other tensors"),
               .expected = text("\"", name, "\""),
               .hint = "check that config.json belongs to these weights and that all of them are there"});
}

std::string_view Checkpoint::format() const {
  if (!parts_.gguf.empty()) return "GGUF";
  return parts_.pytorch.empty() ? "safetensors" : "PyTorch";
}

std::int64_t Checkpoint::tensor_bytes() const {
  std::int64_t total = 0;
  for (const auto& [name, entry] : parts_.tensors) total += entry.num_bytes();
  return total;
}

Checkpoint open_checkpoint(const fs::path& path, const Job& job, const fs::path& config_path) {
  job.progress("opening", "files", 0, 1);
  recover_model_folder(path);
  remove_leftovers(path);
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  const auto refuse = [&](const std::error_code& reason) {
    throw Error({.code = ErrorCode::Io,
                 .what = "cannot open the model",
                 .where = path.string(),
                 .got = reason.message(),
                 .expected = kSupported,
                 .hint = "check the path and its permissions"});
  };
  if (!fs::exists(status)) refuse(failed ? failed : std::make_error_code(std::errc::no_such_file_or_directory));
  try {
    if (fs::is_directory(status)) return open_folder(path, config_path, job);
    if (path.extension() == ".gguf") return open_gguf(path, config_path);
    if (path.extension() == ".safetensors") return open_safetensors_file(path, config_path, job);
    if (is_pytorch_name(path)) return open_pytorch_file(path, config_path, job);
  } catch (const fs::filesystem_error& error) {
    refuse(error.code());
  }
  unsupported(path);
}

}  // namespace lathe
