#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/io/pickle_cursor.h"
#include "model/io/unpickler.h"

namespace lathe {

/// The stack, the marks and the notes of the machine that a pickle is a program for. All of them are bounded, and the
/// values below the latest mark are out of reach. What the cursor says is the place of every Error.
class PickleStack {
 public:
  explicit PickleStack(const PickleCursor& cursor);

  std::vector<std::uint32_t> pop_many(std::size_t count);
  std::vector<std::uint32_t> pop_to_mark();
  std::uint32_t pop() { return pop_many(1).front(); }
  PickleValue& pop_value() { return pickle_.values[pop()]; }

  void push(std::uint32_t value);
  void push(PickleValue value);
  void push_bool(bool value);
  void push_none();
  void push_tuple(std::vector<std::uint32_t> items);
  void mark();

  /// Notes the top of the stack under a number, or under the next one.
  void put(std::uint64_t index);
  void put_next() { put(memo_.size()); }
  void get(std::uint64_t index);

  /// The depth of what holds these values.
  std::uint16_t depth_around(const std::vector<std::uint32_t>& items) const;

  const PickleCursor& cursor() const { return cursor_; }

  /// Throws Error (E_OPCODE): a value is of another kind than what is done with it needs.
  [[noreturn]] void wrong_kind(std::string what, PickleKind got, PickleKind expected) const;

  PickleValue& at(std::uint32_t value) { return pickle_.values[value]; }

  /// The top of the stack, which must be all there is, as the pickle's root.
  Pickle take();

 private:
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  const PickleCursor& cursor_;
  Pickle pickle_;
  std::vector<std::uint32_t> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::vector<std::uint32_t> memo_;
};

}  // namespace lathe
