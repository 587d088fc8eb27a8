#include "model/io/unicode_classes.h"

#include <algorithm>
#include <iterator>
#include <memory>

namespace lathe {

namespace {

constexpr std::size_t kCodePoints = 0x110000;

constexpr std::uint32_t kRuns[] = {
#include "model/io/unicode_classes.inc"
};

std::unique_ptr<std::uint8_t[]> make_table() {
  auto table = std::make_unique<std::uint8_t[]>(kCodePoints);
  std::size_t code = 0;
  for (std::size_t run = 0; run < std::size(kRuns); run += 3) {
    code += kRuns[run];
    std::fill_n(table.get() + code, kRuns[run + 1], static_cast<std::uint8_t>(kRuns[run + 2]));
    code += kRuns[run + 1];
  }
  return table;
}

}  // namespace

const std::uint8_t* character_classes() {
  static const std::unique_ptr<std::uint8_t[]> table = make_table();
  return table.get();
}

}  // namespace lathe
