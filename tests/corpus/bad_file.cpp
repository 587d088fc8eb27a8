#include "tests/corpus/bad_file.h"

#include <fstream>
#include <utility>

namespace lathe {

BadFile one_file(std::string name, std::string file, std::string content, std::optional<ErrorCode> expected) {
  const auto write = [file, content = std::move(content)](const std::filesystem::path& folder) {
    std::ofstream(folder / file, std::ios::binary) << content;
  };
  return {.name = std::move(name), .write = write, .opened = file, .expected = expected};
}

}  // namespace lathe
