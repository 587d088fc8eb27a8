#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/io/mapped_file.h"
#include "model/io/pytorch_tensor.h"

namespace lathe {

/// A .bin, .pt or .pth file that torch.save wrote, mapped and validated: every tensor lies in its storage. Nothing of
/// the file is run, whatever it asks for. Memory: at most 128 bytes for each byte of the pickle, which says where the
/// tensors are; nothing for their values.
class PytorchFile {
 public:
  /// Throws Error naming the tensor or the place and what is wrong, or what the file is instead.
  explicit PytorchFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<PytorchTensor>& tensors() const { return tensors_; }  ///< in the file's order
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  MappedFile file_;
  std::vector<PytorchTensor> tensors_;
  std::vector<std::string> warnings_;
};

}  // namespace lathe
