#include "model/io/checkpoint.h"
#include "model/io/tokenizer.h"
#include "model/io/tokenizer_gguf.h"

namespace lathe {

Tokenizer load_tokenizer(const Checkpoint& checkpoint) {
  const GgufFile* gguf = checkpoint.gguf();
  if (gguf != nullptr) return Tokenizer::from_gguf(gguf_vocabulary(*gguf), gguf->path().string());
  return Tokenizer::from_folder(checkpoint.folder());
}

Tokenizer load_tokenizer(const std::filesystem::path& model) {
  std::error_code unreadable;  // then opening says more
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    if (std::filesystem::exists(model / name, unreadable)) return Tokenizer::from_folder(model);
  }
  return load_tokenizer(open_checkpoint(model));
}

}  // namespace lathe
