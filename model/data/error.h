#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace lathe {

/// A failure that the user reads: what is wrong, where, got, expected, what to do next; the path last.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thrown by Job::check() when the user asked to stop. RAII unwinds; only the job loop catches it.
struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

/// Joins any streamable parts into one string.
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws Error with the joined parts when `condition` is false. For user input and files; programmer mistakes are
/// asserts.
template <typename... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) throw Error(text(parts...));
}

}  // namespace lathe
