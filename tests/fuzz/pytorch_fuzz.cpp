#include "model/io/pytorch_file.h"

#include <optional>

#include "model/io/checkpoint.h"
#include "tests/fuzz/fuzz.h"

// Whole files. Behind the checksums of an archive little is reached: unpickler_fuzz goes on from there.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const MemoryFile memory(as_text(data, size));
  std::optional<PytorchFile> file;
  if (!accepts([&] { file.emplace(memory.path()); })) return 0;
  for (const PytorchTensor& tensor : file->tensors()) {
    TensorEntry entry{tensor.name, tensor.dtype, tensor.shape, tensor.bytes};
    entry.strides = tensor.strides;
    if (tensor.checksum != nullptr) entry.checksums.push_back(tensor.checksum);
    require(tensor.bytes.size() <= size, "a tensor lies in the file");
    require(entry.num_bytes() <= static_cast<std::int64_t>(size), "a tensor has no more values than its storage");
    std::vector<float> values(static_cast<std::size_t>(entry.num_values()));
    accepts([&] { read_rows(entry, 0, entry.num_rows(), values); });
  }
  return 0;
}
