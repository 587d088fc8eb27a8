#include "views/format.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace lathe {
namespace {

// Figure space and minus sign of the interface fonts.
constexpr const char* kMinus = "\u2212";

/// `value` with three significant digits before a unit.
ShortText scaled(double value, const char* unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return format("%.*f %s", decimals, value, unit);
}

}  // namespace

ShortText format(const char* pattern, ...) {
  ShortText text;
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text.chars.data(), text.chars.size(), pattern, arguments);
  va_end(arguments);
  return text;
}

ShortText format_count(std::int64_t count) {
  const double value = static_cast<double>(count);
  const double size = std::abs(value);
  if (size < 1e4) return format("%lld", static_cast<long long>(count));
  if (size < 999.5e3) return scaled(value / 1e3, "k");
  if (size < 999.5e6) return scaled(value / 1e6, "M");
  if (size < 999.5e9) return scaled(value / 1e9, "B");
  return scaled(value / 1e12, "T");
}

ShortText format_bytes(std::int64_t bytes) {
  const double value = static_cast<double>(bytes);
  const double size = std::abs(value);
  if (size < 1e3) return format("%lld B", static_cast<long long>(bytes));
  if (size < 999.5e3) return scaled(value / 1e3, "kB");
  if (size < 999.5e6) return scaled(value / 1e6, "MB");
  if (size < 999.5e9) return scaled(value / 1e9, "GB");
  return scaled(value / 1e12, "TB");
}

ShortText format_change(double before, double after) {
  if (before == after) return format("\u00b10 %%");
  if (before == 0.0) return format("new");
  const double percent = 100.0 * (after - before) / before;
  const double size = std::abs(percent);
  const int decimals = size < 0.995 ? 2 : size < 9.95 ? 1 : 0;
  return format("%s%.*f %%", percent < 0.0 ? kMinus : "+", decimals, size);
}

ShortText format_seconds(double seconds) {
  if (!(seconds >= 0.0)) return format("\u2013");
  if (seconds < 10.0) return format("%.1f s", seconds);
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return format("%lld s", whole);
  if (whole < 3600) return format("%lld min %02lld s", whole / 60, whole % 60);
  return format("%lld h %02lld min", whole / 3600, whole % 3600 / 60);
}

ShortText format_value(double value) {
  if (!std::isfinite(value)) return format("%s", std::isnan(value) ? "nan" : value > 0 ? "inf" : "\u2212inf");
  const double size = std::abs(value);
  if (value == 0.0) return format("0");
  if (size < 1e-3 || size >= 1e6) return format("%.2e", value);
  const int decimals = size < 0.1 ? 4 : size < 10.0 ? 3 : size < 100.0 ? 2 : size < 1000.0 ? 1 : 0;
  return format("%s%.*f", value < 0.0 ? kMinus : "", decimals, size);
}

}  // namespace lathe
