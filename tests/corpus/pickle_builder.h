#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/corpus/zip_builder.h"
#include "tests/io/byte_builder.h"

namespace lathe::pickle {

/// Opcodes that leave one value on the stack. Nothing is checked.
inline std::string string(std::string_view value) {
  std::string out = "X";
  append<std::uint32_t>(out, static_cast<std::uint32_t>(value.size()));
  return out += value;
}

inline std::string number(std::int64_t value) {
  std::string out = "\x8a\x08";
  append(out, value);
  return out;
}

inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}

inline std::string numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) items.push_back(number(value));
  return tuple(items);
}

inline const std::string kFalse = "\x89";
inline const std::string kEmptyDict = "}";
inline const std::string kOrderedDict = global("collections", "OrderedDict") + ")R";

/// A tensor and its storage: by default four values of F32, in the storage "0".
struct Tensor {
  std::string type = global("torch", "FloatStorage");
  std::string key = "0";
  std::string location = "cpu";
  std::string num_values = number(4);
  std::string offset = number(0);
  std::string sizes = numbers({4});
  std::string strides = numbers({1});
  std::string requires_grad = kFalse;
  std::string dtype{};  // _rebuild_tensor_v3

  std::string storage() const {
    return tuple({string("storage"), type, string(key), string(location), num_values}) + "Q";
  }
  std::string value() const {
    std::vector<std::string> arguments{storage(), offset, sizes, strides, requires_grad, kOrderedDict};
    if (!dtype.empty()) arguments.push_back(dtype);
    return global("torch._utils", dtype.empty() ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3") + tuple(arguments) + "R";
  }
};

/// {"a": value}
inline std::string dict_of(const std::string& value) { return kEmptyDict + string("a") + value + "s"; }

inline std::string program(const std::string& opcodes, char protocol = 2) {
  return std::string("\x80") + protocol + opcodes + ".";
}

/// A whole file of PyTorch's with this pickle and the storage "0".
inline ZipBuilder archive(std::string data_pkl = program(dict_of(Tensor().value())),
                          std::string storage = std::string(16, '\0')) {
  return {.parts = {{"archive/data.pkl", std::move(data_pkl)},
                    {"archive/byteorder", "little"},
                    {"archive/data/0", std::move(storage)},
                    {"archive/version", "3\n"}}};
}

}  // namespace lathe::pickle
