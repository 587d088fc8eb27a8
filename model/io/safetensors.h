#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/data/job.h"
#include "model/io/dtype.h"
#include "model/io/mapped_file.h"

namespace lathe {

struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// A safetensors file, mapped and validated: the ranges of its tensors are inside the file, cover it and do not
/// overlap. Stricter than the reference reader where the format's own text is: duplicate names are refused. Source:
/// safetensors README and safetensors/src/tensor.rs.
class SafetensorsFile {
 public:
  /// Throws Error naming the tensor and what is wrong, or what the file is instead (Git LFS pointer, web page, zip
  /// ...).
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }  ///< in the order of their bytes
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  MappedFile file_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> warnings_;
};

/// One tensor to write. `bytes` is called once, when its turn comes, so that one tensor at a time need be in memory;
/// what it returns must live until the next call and have the size that dtype and shape say.
struct TensorSource {
  std::string name;
  DType dtype = DType::F32;
  std::vector<std::int64_t> shape;
  std::function<std::span<const std::byte>()> bytes;
};

/// Bytes of a tensor to write. Throws Error if the shape is negative or overflows.
std::int64_t source_bytes(const TensorSource& source);

/// What was written: a file's name, size and SHA-256 (hex).
struct WrittenFile {
  std::string name;
  std::int64_t bytes = 0;
  std::string sha256;
};

/// Writes one safetensors file, all of it or nothing (see AtomicFile), with metadata {"format": "pt"}.
/// Tensors lie in the order given except that wider dtypes come first, so that each is aligned.
/// Throws Error (duplicate name, wrong size, disk) or Cancelled; the file that was there then still is.
WrittenFile write_safetensors(const std::filesystem::path& path, std::span<const TensorSource> tensors,
                              const Job& job = {});

}  // namespace lathe
