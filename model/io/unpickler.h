#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/pytorch_globals.h"

namespace lathe {

enum class PickleKind : std::uint8_t {
  None,
  Bool,
  Int,
  Long,  ///< more than 64 bits
  Float,
  String,
  Bytes,
  Tuple,
  List,
  Dict,
  Global,   ///< a name of the list
  Storage,  ///< a persistent id: its parts
  Tensor,   ///< a call of a function that rebuilds a tensor: its arguments
  Device,
};

/// "a tuple", for messages.
std::string_view kind_name(PickleKind kind);

/// A value of a pickle. Values refer to one another by number, so a value may be part of many others, and of itself.
struct PickleValue {
  PickleKind kind = PickleKind::None;
  std::uint16_t depth = 0;                ///< of the values in it when it was made
  std::int64_t number = 0;                ///< Bool, Int
  std::string_view text{};                ///< String; Bytes and Long: as stored
  const AllowedGlobal* global = nullptr;  ///< Global; Tensor: the function
  std::vector<std::uint32_t> items{};     ///< Tuple, List, Storage, Tensor; Dict: key, value, key, value ...
};

/// What a pickle holds, as plain data that lies in the bytes it was read from.
struct Pickle {
  std::deque<PickleValue> values;
  std::uint32_t root = 0;
  std::size_t bytes = 0;  ///< from the first to STOP

  const PickleValue& at(std::uint32_t i) const { return values[i]; }
  const PickleValue& top() const { return at(root); }
};

/// Reads the pickle that `bytes` begin with: protocols 2 to 5, of which only what PyTorch writes for tensors. Nothing
/// is called and nothing is looked up: a global that is not on the list ends the reading. At most 2,000,000 values, and
/// at most 128 bytes of memory for each byte read; the values are never walked by recursion.
/// `where` ends the messages' place: "data.pkl; file: /models/a.bin".
/// Throws Error (E_UNSAFE_GLOBAL, E_OPCODE, E_TRUNCATED, E_VERSION, E_UTF8, E_LIMIT, E_SCHEMA).
/// Source: Python's Lib/pickletools.py; torch/_weights_only_unpickler.py.
Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace lathe
