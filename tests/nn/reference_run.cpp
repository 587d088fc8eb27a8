#include "tests/nn/reference_run.h"

#include <stdlib.h>

#include <cstdlib>

#include "model/data/error.h"
#include "tests/support/places.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

int run(const std::string& command) { return std::system(command.c_str()); }

std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

}  // namespace

TestFolder::TestFolder() {
  std::string pattern = (fs::temp_directory_path() / "lathe-nn-XXXXXX").string();
  check(mkdtemp(pattern.data()) != nullptr, "cannot make a folder like ", pattern);
  path_ = pattern;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<TensorMap> run_reference(const std::vector<ReferenceCall>& calls) {
  const TestFolder folder;
  const fs::path log = folder.path() / "log";
  const fs::path script = fs::path(LATHE_SOURCE_DIR) / "tests/nn/reference.py";
  std::string command =
      std::string("OMP_NUM_THREADS=2 PYTHONDONTWRITEBYTECODE=1 ") + LATHE_PYTHON + " " + quoted(script);
  std::vector<fs::path> outputs;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const fs::path in = folder.path() / text("in", i, ".safetensors");
    outputs.push_back(folder.path() / text("out", i, ".safetensors"));
    write_tensors(in, calls[i].inputs);
    command += " " + quoted(calls[i].subject) + " " + quoted(in) + " " + quoted(outputs.back());
  }
  const int status = run(command + " 2>" + quoted(log) + " || { cat " + quoted(log) + " >&2; false; }");
  check(status == 0, "reference.py failed with status ", status);
  std::vector<TensorMap> results;
  for (const fs::path& output : outputs) results.push_back(read_tensors(output));
  return results;
}

}  // namespace lathe
