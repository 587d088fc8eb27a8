#include "model/io/safetensors.h"

#include <algorithm>
#include <optional>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace lathe;

/// Writes the tensors to a file of their own and reads them back.
void check_round_trip(const SafetensorsFile& file) {
  static const MemoryFolder folder;
  std::vector<TensorSource> sources;
  for (const SafetensorsTensor& tensor : file.tensors()) {
    sources.push_back({tensor.name, tensor.dtype, tensor.shape, [&tensor] { return tensor.bytes; }});
  }
  write_safetensors(folder.path() / "again.safetensors", sources);
  const SafetensorsFile again(folder.path() / "again.safetensors");
  require(again.tensors().size() == file.tensors().size(), "every tensor is written");
  for (const SafetensorsTensor& tensor : file.tensors()) {
    const auto found = std::ranges::find(again.tensors(), tensor.name, &SafetensorsTensor::name);
    require(found != again.tensors().end(), "a tensor that is written is found");
    require(found->dtype == tensor.dtype && found->shape == tensor.shape, "a tensor keeps its type and shape");
    require(std::ranges::equal(found->bytes, tensor.bytes), "a tensor keeps its bytes");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryFile memory(as_text(data, size));
  std::optional<SafetensorsFile> file;
  if (!accepts([&] { file.emplace(memory.path()); })) return 0;
  std::size_t bytes = 0;
  for (const SafetensorsTensor& tensor : file->tensors()) bytes += tensor.bytes.size();
  require(bytes < size, "tensors share no bytes");
  check_round_trip(*file);
  return 0;
}
