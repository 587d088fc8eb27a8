#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/data/error.h"
#include "model/io/gguf_parts.h"

namespace lathe {

/// What a GGUF model's metadata says of its network; keys are given without the architecture ("block_count").
class GgufHparams {
 public:
  /// `parts` must outlive it. A file that names no architecture has the architecture "".
  explicit GgufHparams(const GgufParts& parts);

  const std::string& architecture() const { return architecture_; }
  const GgufFile& file() const { return *parts_.front(); }

  std::optional<std::int64_t> integer(std::string_view key) const { return file().integer(full(key)); }
  std::optional<double> number(std::string_view key) const;  ///< the decimal that its author wrote
  std::optional<bool> boolean(std::string_view key) const { return file().boolean(full(key)); }
  std::optional<std::string_view> string(std::string_view key) const { return file().string(full(key)); }

  /// Throws Error if the key is absent.
  std::int64_t required(std::string_view key) const;
  double required_number(std::string_view key) const;

  const GgufTensor* tensor(std::string_view name) const { return find_tensor(parts_, name); }
  bool has_tensor(std::string_view name) const { return tensor(name) != nullptr; }

  /// "llama.block_count".
  std::string full(std::string_view key) const { return text(architecture_, ".", key); }

  [[noreturn]] void refuse(ErrorCode code, std::string what, std::string got, std::string expected) const;

 private:
  const GgufParts& parts_;
  std::string architecture_;
};

}  // namespace lathe
