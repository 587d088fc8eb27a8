#include <algorithm>
#include <fstream>

#include "model/io/checkpoint.h"
#include "model/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace lathe;

/// A model of two shards, "a" and "b", whose index is still to be written.
void write_shards(const std::filesystem::path& folder) {
  std::ofstream(folder / "config.json") << "{}";
  const std::string bytes(8, 'x');
  for (const char* name : {"a", "b"}) {
    const std::vector<TensorSource> tensors{
        {name, DType::U8, {8}, [&bytes] { return std::as_bytes(std::span(bytes)); }}};
    write_safetensors(folder / (std::string(name) + ".safetensors"), tensors);
  }
}

/// The folder of the model, which lies alone in one of its own.
const std::filesystem::path& model_folder() {
  static const MemoryFolder memory;
  static const std::filesystem::path folder = memory.path() / "model";
  if (std::filesystem::create_directory(folder)) write_shards(folder);
  return folder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::ofstream(model_folder() / "model.safetensors.index.json", std::ios::binary) << as_text(data, size);
  Checkpoint checkpoint;
  if (!accepts([&] { checkpoint = open_checkpoint(model_folder()); })) return 0;
  require(!checkpoint.tensors().empty() && checkpoint.tensors().size() <= 2, "only tensors of the shards are found");
  for (const auto& [name, entry] : checkpoint.tensors()) {
    require((name == "a" || name == "b") && entry.bytes.size() == 8, "a tensor is that of its shard");
  }
  return 0;
}
