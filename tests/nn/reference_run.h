#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/nn/tensor_file.h"

namespace lathe {

/// Why the reference cannot be run here, or an empty string: a test that needs it skips with this.
std::string why_no_reference();

/// A new folder for the running test, removed with its content when this goes.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Something that tests/nn/reference.py runs (a case's .json, a model's folder, a .gguf) and what to run it on.
struct ReferenceCall {
  std::filesystem::path subject;
  TensorMap inputs;
};

/// What it gives for each call, all in one Python process.
std::vector<TensorMap> run_reference(const std::vector<ReferenceCall>& calls);

}  // namespace lathe
