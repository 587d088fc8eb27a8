#include "model/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/safetensors_header.h"

namespace lathe {

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

/// The header's JSON; the tensors' bytes start right after it.
std::string_view header_json(std::span<const std::byte> file, const std::string& path) {
  const std::string foreign = describe_foreign_file(file);
  const auto fail = [&](const auto&... parts) {
    const bool explained = !foreign.empty() && !foreign.ends_with("safetensors file");
    throw Error(text("[safetensors] ", explained ? foreign : text(parts...), "; file: ", path));
  };
  if (file.size() < kLengthBytes) fail("the file has ", file.size(), " bytes; it is empty or cut off");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) fail("the header would have ", length, " bytes, expected at most ", kMaxHeaderBytes);
  if (length > file.size() - kLengthBytes) {
    fail("the header should have ", length, " bytes, but the file ends after ", file.size() - kLengthBytes,
         "; it is cut off: download or copy it again");
  }
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
}

/// Checks that the items' ranges fit their shapes and follow one another from 0 to the end of the data.
void check_ranges(std::vector<SafetensorsItem>& items, std::uint64_t data_bytes, const std::string& path) {
  std::sort(items.begin(), items.end(), [](const SafetensorsItem& a, const SafetensorsItem& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected_begin = 0;
  for (const SafetensorsItem& item : items) {
    const auto where = [&] { return text("[safetensors] tensor \"", item.name, "\": "); };
    check(item.begin == expected_begin && item.end >= item.begin, where(), "data_offsets are [", item.begin, ", ",
          item.end, "], expected to start at ", expected_begin, ": the tensors overlap or leave a hole; file: ", path);
    const auto bytes = stored_bytes(item.dtype, item.shape);
    check(bytes.has_value(), where(), "the shape ", shape_text(item.shape), " is too large; file: ", path);
    check(item.end - item.begin == static_cast<std::uint64_t>(*bytes), where(), "data_offsets span ",
          item.end - item.begin, " bytes, but ", dtype_name(item.dtype), " ", shape_text(item.shape), " takes ", *bytes,
          "; file: ", path);
    expected_begin = item.end;
  }
  check(expected_begin <= data_bytes, "[safetensors] the tensors take ", expected_begin,
        " bytes, but the file has only ", data_bytes, "; it is cut off: download or copy it again; file: ", path);
  check(expected_begin == data_bytes, "[safetensors] ", data_bytes - expected_begin,
        " bytes after the last tensor belong to no tensor; file: ", path);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const std::string_view json = header_json(file_.bytes(), path.string());
  SafetensorsHeader header = parse_safetensors_header(json, path.string());
  const auto data = file_.bytes().subspan(kLengthBytes + json.size());
  check_ranges(header.items, data.size(), path.string());
  metadata_ = std::move(header.metadata);
  warnings_ = std::move(header.warnings);
  tensors_.reserve(header.items.size());
  for (SafetensorsItem& item : header.items) {
    tensors_.push_back(
        {std::move(item.name), item.dtype, std::move(item.shape), data.subspan(item.begin, item.end - item.begin)});
  }
}

}  // namespace lathe
