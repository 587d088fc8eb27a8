#include "model/io/unpickler.h"

#include <array>

#include "model/io/pytorch_content.h"
#include "model/io/pytorch_state_dict.h"
#include "model/io/pytorch_tensor.h"
#include "tests/fuzz/fuzz.h"

// The pickle of an archive with two storages, "0" of 16 bytes and "1" of 64.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const std::array<std::byte, 64> bytes{};
  PytorchContent content;
  if (!accepts([&] { content.pickle = read_pickle(std::as_bytes(std::span(data, size)), "data.pkl"); })) return 0;
  require(content.pickle.bytes <= size, "a pickle ends in the file");
  require(content.pickle.values.size() <= size + 4, "a value takes a byte at least");
  content.storages["0"] = {std::span(bytes).first(16), nullptr};
  content.storages["1"] = {bytes, nullptr};
  accepts([&] {
    const StateDict dict = find_state_dict(content.pickle, "fuzz.bin");
    for (const PytorchTensor& tensor : read_pytorch_tensors(content, dict.tensors, "fuzz.bin")) {
      const bool inside =
          tensor.bytes.empty() || (tensor.bytes.data() >= bytes.data() &&
                                   tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size());
      require(inside, "a tensor lies in its storage");
    }
  });
  return 0;
}
