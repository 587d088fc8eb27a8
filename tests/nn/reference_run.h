#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/nn/tensor_file.h"
#include "tests/support/python.h"

namespace lathe {

/// Ends the test as skipped where the reference cannot be run.
#define LATHE_NEEDS_REFERENCE() LATHE_NEEDS_PYTHON("transformers torch gguf safetensors")

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
