#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/io/stored_checksum.h"
#include "model/io/unpickler.h"

namespace lathe {

/// A run of bytes that tensors are views of.
struct PytorchStorage {
  std::span<const std::byte> bytes;
  std::shared_ptr<const StoredChecksum> checksum;  ///< none if the file has none
};

/// What torch.save wrote: an object, and the storages that it refers to by key. Both lie in the file's bytes.
struct PytorchContent {
  Pickle pickle;
  std::map<std::string, PytorchStorage, std::less<>> storages;
};

/// A reference of the pickle to a storage.
struct StorageId {
  std::string_view key;
  std::optional<DType> dtype;  ///< none: bytes
  std::int64_t num_values = 0;
};

/// Throws Error (E_SCHEMA, E_DTYPE).
StorageId read_storage_id(const Pickle& pickle, const PickleValue& storage, const std::string& path);

/// Reads the zip archive that PyTorch writes since version 1.6. Throws Error, E_TORCHSCRIPT if it is a program.
/// Source: caffe2/serialize/inline_container.cc; torch/serialization.py.
PytorchContent read_pytorch_zip(std::span<const std::byte> file, const std::string& path);

/// Reads the form before: pickles of a magic number, a version, facts of the machine, the object and the storages'
/// keys, then the storages. Throws Error.  Source: torch/serialization.py, _legacy_save.
PytorchContent read_pytorch_legacy(std::span<const std::byte> file, const std::string& path);

}  // namespace lathe
