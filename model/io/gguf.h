#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/dtype.h"
#include "model/io/gguf_value.h"
#include "model/io/mapped_file.h"

namespace lathe {

/// One tensor of the file, with its own name; `shape` is outermost first, the reverse of the file's order.
struct GgufTensor {
  std::string name;
  StoredType type = DType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// A GGUF file (version 2 or 3, little-endian), mapped and validated: every count, length, type, product and offset is
/// checked against the bytes that are there before it is used.
/// Source: ggml docs/gguf.md.
class GgufFile {
 public:
  /// Throws Error naming the item, its offset and what is wrong.
  explicit GgufFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::map<std::string, GgufValue, std::less<>>& metadata() const { return metadata_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  ///< in file order
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Typed getters: nullopt (nullptr) if the key is absent, Error if it has another type or does not fit.
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string_view> string(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
  const std::vector<double>* numbers(std::string_view key) const;
  const std::vector<std::string_view>* strings(std::string_view key) const;

 private:
  const GgufValue* find(std::string_view key) const;

  MappedFile file_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<std::string> warnings_;
};

}  // namespace lathe
