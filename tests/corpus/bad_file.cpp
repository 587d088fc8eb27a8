#include "tests/corpus/bad_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace lathe {

BadFile one_file(std::string name, std::string file, std::string content, std::optional<ErrorCode> expected) {
  const auto write = [file, content = std::move(content)](const std::filesystem::path& folder) {
    std::ofstream(folder / file, std::ios::binary) << content;
  };
  return {.name = std::move(name), .write = write, .opened = file, .expected = expected};
}

std::vector<BadFile> model_corpus() {
  std::vector<BadFile> corpus;
  for (auto part : {safetensors_corpus, gguf_corpus, gguf_model_corpus, pytorch_corpus, config_corpus}) {
    std::ranges::move(part(), std::back_inserter(corpus));
  }
  return corpus;
}

}  // namespace lathe
