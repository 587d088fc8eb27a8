#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/corpus/bad_file.h"

namespace {

using namespace lathe;

/// Puts the files of each kind into folders of their names below `out`. Returns what index.json says of them.
nlohmann::json write_corpus(const std::filesystem::path& out) {
  nlohmann::json index = nlohmann::json::array();
  const auto add = [&](const char* opened_as, const std::vector<BadFile>& corpus) {
    for (const BadFile& file : corpus) {
      const std::filesystem::path folder = out / file.name;
      std::filesystem::create_directories(folder);
      file.write(folder);
      nlohmann::json expected = nullptr;
      if (file.expected) expected = error_code_name(*file.expected);
      index.push_back({{"name", file.name},
                       {"kind", opened_as},
                       {"path", (std::filesystem::path(file.name) / file.opened).string()},
                       {"expected", expected}});
    }
  };
  add("model", model_corpus());
  add("tokenizer", tokenizer_corpus());
  add("tokenizer", sentencepiece_corpus());
  add("dataset", dataset_corpus());
  return index;
}

}  // namespace

/// Writes every file of the corpora, and index.json: a list of {name, kind: model | tokenizer | dataset, path,
/// expected: an error code, or null if it must open}.
int main(int argc, char** argv) {
  if (argc != 2 || std::filesystem::exists(argv[1])) {
    std::fputs("usage: lathe_corpus OUT, a folder that is not there yet\n", stderr);
    return 2;
  }
  const std::filesystem::path out = argv[1];
  const nlohmann::json index = write_corpus(out);
  std::ofstream file(out / "index.json");
  file << index.dump(1) << "\n";
  std::printf("%zu cases in %s\n", index.size(), out.c_str());
  return file.flush() ? 0 : 1;
}
