#include "model/io/zip_file.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  const auto file = std::as_bytes(std::span(data, size));
  std::vector<ZipEntry> entries;
  if (!accepts([&] { entries = read_zip(file, "fuzz.zip"); })) return 0;
  std::ranges::sort(entries, {}, [](const ZipEntry& entry) { return entry.bytes.data(); });
  const std::byte* end = file.data();
  for (const ZipEntry& entry : entries) {
    require(entry.bytes.data() >= end, "entries share no bytes");
    end = entry.bytes.data() + entry.bytes.size();
    require(!entry.name.starts_with('/') && entry.name.find("..") != 0, "a name stays inside");
  }
  require(end <= file.data() + file.size(), "entries lie in the file");
  return 0;
}
