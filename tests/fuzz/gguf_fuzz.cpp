#include "model/io/gguf.h"

#include <optional>

#include "model/io/open_checkpoint.h"
#include "model/io/tokenizer.h"
#include "model/io/tokenizer_gguf.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace lathe;

void read_all(const Checkpoint& checkpoint) {
  for (const auto& [name, entry] : checkpoint.tensors()) {
    std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
    read_rows(entry, 0, entry.num_rows(), values);
  }
}

void use_tokenizer(const GgufFile& file) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(gguf_vocabulary(file), "fuzz.gguf");
  for (const std::int32_t id : tokenizer.encode("Hello, w\xC3\xB6rld 42!")) {
    require(id >= 0 && id < tokenizer.vocab_size(), "an id is one of the vocabulary");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile memory(as_text(data, size));
  std::optional<GgufFile> file;
  if (!accepts([&] { file.emplace(memory.path()); })) return 0;
  std::size_t bytes = 0;
  for (const GgufTensor& tensor : file->tensors()) bytes += tensor.bytes.size();
  require(bytes < size, "tensors share no bytes");
  accepts([&] { read_all(open_gguf_checkpoint(memory.path())); });
  accepts([&] { use_tokenizer(*file); });
  return 0;
}
