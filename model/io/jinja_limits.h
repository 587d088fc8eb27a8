#pragma once

#include <cstddef>

#include "model/io/jinja_values.h"

namespace lathe::jinja {

/// What an item of a list or object counts for besides its text.
inline constexpr std::size_t kItemBytes = 64;

/// Throws Error if a value of so many bytes is more than a template may make. For what a single operation can multiply:
/// to be asked while the value grows.
void check_value_bytes(std::size_t bytes);

/// What one rendering may use. Templates come with downloaded models: none may run without end, fill the memory, or
/// nest values so deep that copying one overflows the stack.
class Limits {
 public:
  /// Counts a statement, an expression or a round of a loop. Throws Error after too many.
  void step(int line);

  /// Every value that an expression gives passes here. Throws Error if it is too large or too deep, or if too much was
  /// made in all.
  Value admit(Value value, int line);

  /// Throws Error if this is more than a conversation may become.
  static void check_output(std::size_t bytes, int line);

 private:
  int steps_ = 0;
  std::size_t bytes_made_ = 0;
};

}  // namespace lathe::jinja
