#pragma once

#include <cstddef>
#include <string_view>

#include "model/io/pickle_stack.h"

namespace lathe {

// The opcodes by which a pickle has Python look up names and call functions. Here a name is looked up in a fixed list
// (find_global), and a call becomes a note of what was to be called on what.

inline constexpr std::size_t kMaxGlobalBytes = 256;  ///< of a module's or a thing's name

/// GLOBAL: a name of the list. Throws Error (E_UNSAFE_GLOBAL) for any other.
void push_global(PickleStack& stack, std::string_view module, std::string_view name);

/// STACK_GLOBAL: the same with the names on the stack.
void stack_global(PickleStack& stack);

/// REDUCE: a call of a function of the list.
void reduce(PickleStack& stack);

/// BUILD: the attributes of an OrderedDict, which say nothing about tensors and go. Nothing else has any.
void build(PickleStack& stack);

/// BINPERSID: a tensor's storage.
void persistent_id(PickleStack& stack);

}  // namespace lathe
