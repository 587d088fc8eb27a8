#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lathe {

/// What kind of thing is wrong. Scripts may rely on the names (error_code_name): they are never changed.
enum class ErrorCode : std::uint8_t {
  Failed,        ///< anything that the others do not name
  Io,            ///< the system refused: not there, no permission, disk full
  WrongFormat,   ///< the file is of another kind than its place or its name says
  LfsPointer,    ///< a Git LFS pointer in place of the file
  Html,          ///< a web page in place of the file
  Truncated,     ///< the file ends too early
  Trailing,      ///< bytes that belong to nothing
  Header,        ///< a binary header is not one
  Utf8,          ///< text is not UTF-8
  Json,          ///< text is not JSON
  Limit,         ///< more than any real file has
  DuplicateKey,  ///< a name is there twice
  Schema,        ///< a field is missing, of another type or unknown
  Dtype,         ///< an element type that cannot be read
  Overflow,      ///< sizes multiply to more than a number can hold
  Offsets,       ///< ranges overlap, leave holes or lie outside
  Size,          ///< bytes and shape disagree
  Name,          ///< a name that cannot be used
  Version,       ///< a version of the format that is not read
  Endian,        ///< bytes in the other order
  Alignment,     ///< an alignment that cannot be
  Checksum,      ///< the bytes are not those that were written
  Zip,           ///< the archive's structure is broken
  Opcode,        ///< the pickle's structure is broken or it uses what no checkpoint needs
  UnsafeGlobal,  ///< the pickle asks for a function that is not on the list
  TorchScript,   ///< the file is a program
  Range,         ///< a view of a tensor leaves its storage
  Path,          ///< a name leads out of the folder
  NotRegular,    ///< a device, pipe or socket in place of a file
  Shard,         ///< the parts of a model do not fit together
  Config,        ///< sizes or kinds of the network that cannot be or are not supported
  Tokenizer,     ///< the tokenizer is broken or of a kind that is not supported
  Regex,         ///< a pattern is broken or runs without end
  Template,      ///< the chat template is broken or uses what is not supported
  Dataset,       ///< a training or evaluation text cannot be read
  Memory,        ///< it does not fit
  Export,        ///< the model does not fit the target exactly
  Verify,        ///< what was read back is not what was written
};

/// "E_TRUNCATED".
std::string_view error_code_name(ErrorCode code);

/// What the user is told, part by part; what does not apply stays empty.
struct ErrorParts {
  ErrorCode code = ErrorCode::Failed;
  std::string what{};      ///< "the tensors overlap": a clause, lower case, without a full stop
  std::string where{};     ///< "tensor \"a\", byte 128 of /models/a.safetensors": the path last
  std::string got{};       ///< "offset 3"
  std::string expected{};  ///< "offset 5"
  std::string hint{};      ///< "download the file again": the next step

  bool operator==(const ErrorParts&) const = default;
};

/// "the tensors overlap: got offset 3, expected offset 5; download the file again; tensor "a" of /models/a
/// (E_OFFSETS)".
std::string to_text(const ErrorParts& parts);

/// A failure that the user reads: what is wrong, where, got, expected, what to do next; the path last.
class Error : public std::runtime_error {
 public:
  /// A message that has no parts: it says all of it.
  explicit Error(const std::string& message) : std::runtime_error(message), parts_{.what = message} {}
  explicit Error(ErrorParts parts) : std::runtime_error(to_text(parts)), parts_(std::move(parts)) {}

  ErrorCode code() const { return parts_.code; }
  const ErrorParts& parts() const { return parts_; }

 private:
  ErrorParts parts_;
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
