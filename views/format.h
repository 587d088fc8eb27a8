#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lathe {

/// A short text on the stack: frames format thousands of numbers and should not allocate for them.
struct ShortText {
  std::array<char, 96> chars{};

  const char* c_str() const { return chars.data(); }
  std::string_view view() const { return chars.data(); }
};

/// printf into a ShortText; longer results are cut.
ShortText format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// "134.5 M", "1.07 B", "960".
ShortText format_count(std::int64_t count);
/// "1.07 GB", "96.0 kB"; decimal units.
ShortText format_bytes(std::int64_t bytes);
/// "+3.2 %", "−41 %": how much `after` differs from `before`; "±0 %" where equal.
ShortText format_change(double before, double after);
/// "0.4 s", "59 s", "4 min 05 s", "2 h 03 min".
ShortText format_seconds(double seconds);
/// Three significant digits: "0.0312", "1.24e-05", "nan".
ShortText format_value(double value);

}  // namespace lathe
