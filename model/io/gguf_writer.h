#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/data/job.h"
#include "model/io/dtype.h"
#include "model/io/safetensors.h"

namespace lathe {

/// A metadata value in the type that it is written in; vectors become arrays.
using GgufField = std::variant<std::uint32_t, float, bool, std::string, std::vector<std::int32_t>, std::vector<float>,
                               std::vector<std::string>>;

/// Metadata in the order in which it is written.
using GgufFields = std::vector<std::pair<std::string, GgufField>>;

/// One tensor to write; `shape` is outermost first, as everywhere in Lathe.
struct GgufTensorSource {
  std::string name;
  StoredType type = DType::F32;
  std::vector<std::int64_t> shape;

  /// Hands the tensor's bytes on piece by piece, in order: all pieces together are what type and shape say. Called
  /// once, when the tensor's turn comes.
  std::function<void(const std::function<void(std::span<const std::byte>)>& put)> bytes;
};

/// Writes one GGUF file (version 3, little-endian, alignment 32), all of it or nothing (see AtomicFile). The same input
/// gives the same bytes. Throws Error (a name twice or too long, a wrong size, disk) or Cancelled; the file that was
/// there then still is. `verify` as AtomicFile::commit's.  Source: ggml docs/gguf.md.
WrittenFile write_gguf(const std::filesystem::path& path, const GgufFields& metadata,
                       std::span<const GgufTensorSource> tensors, const Job& job = {},
                       const std::function<void(const std::filesystem::path&)>& verify = {});

}  // namespace lathe
