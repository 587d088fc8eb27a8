#include "model/io/checkpoint.h"
#include "model/io/tokenizer.h"
#include "model/io/tokenizer_gguf.h"

namespace lathe {

namespace {

bool has_tokenizer(const std::filesystem::path& folder) {
  const auto is_there = [&folder](const char* name) {
    std::error_code unreadable;  // then opening says more
    return std::filesystem::exists(folder / name, unreadable);
  };
  return is_there("tokenizer.json") || is_there("tokenizer.model");
}

/// An empty folder is the one that the program runs in: only a config that was named says where else to look.
bool has_tokenizer_beside_config(const Checkpoint& checkpoint) {
  return !checkpoint.config_folder().empty() && has_tokenizer(checkpoint.config_folder());
}

}  // namespace

bool has_tokenizer(const Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr && checkpoint.gguf()->string("tokenizer.ggml.model")) return true;
  return has_tokenizer(checkpoint.folder()) || has_tokenizer_beside_config(checkpoint);
}

Tokenizer load_tokenizer(const Checkpoint& checkpoint) {
  const GgufFile* gguf = checkpoint.gguf();
  const bool is_inside = gguf != nullptr && gguf->string("tokenizer.ggml.model");
  if (is_inside || (gguf != nullptr && !has_tokenizer(checkpoint.folder()))) {
    return Tokenizer::from_gguf(gguf_vocabulary(*gguf), gguf->path().string());
  }
  const bool beside_config = !has_tokenizer(checkpoint.folder()) && has_tokenizer_beside_config(checkpoint);
  return Tokenizer::from_folder(beside_config ? checkpoint.config_folder() : checkpoint.folder());
}

Tokenizer load_tokenizer(const std::filesystem::path& model, const std::filesystem::path& config_path) {
  return has_tokenizer(model) ? Tokenizer::from_folder(model) : load_tokenizer(open_checkpoint(model, {}, config_path));
}

}  // namespace lathe
