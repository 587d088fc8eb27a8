#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/safetensors.h"

namespace lathe {

namespace {

/// The first 8 + N bytes of the file: the header's length and its JSON, padded so that the data starts aligned.
std::string header_bytes(std::span<const TensorSource* const> ordered) {
  // Joined by hand: an ordered JSON object looks through all its keys for each new one.
  std::string json = R"({"__metadata__":{"format":"pt"})";
  std::int64_t at = 0;
  for (const TensorSource* tensor : ordered) {
    const std::int64_t end = at + source_bytes(*tensor);
    const nlohmann::json info = {
        {"dtype", dtype_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {at, end}}};
    json += "," + nlohmann::json(tensor->name).dump() + ":" + info.dump();
    at = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

void check_names(std::span<const TensorSource> tensors) {
  std::unordered_set<std::string_view> names;
  for (const TensorSource& tensor : tensors) {
    check(!tensor.name.empty() && tensor.name != "__metadata__", "[save] \"", tensor.name, "\" cannot name a tensor");
    check(names.insert(tensor.name).second, "[save] two tensors are named \"", tensor.name, "\"");
  }
}

}  // namespace

std::int64_t source_bytes(const TensorSource& source) {
  const auto bytes = stored_bytes(source.dtype, source.shape);
  check(bytes.has_value(), "[save] tensor \"", source.name, "\" has the impossible shape ", shape_text(source.shape));
  return *bytes;
}

WrittenFile write_safetensors(const std::filesystem::path& path, std::span<const TensorSource> tensors,
                              const Job& job) {
  check_names(tensors);
  std::vector<const TensorSource*> ordered;
  for (const TensorSource& tensor : tensors) ordered.push_back(&tensor);
  std::stable_sort(ordered.begin(), ordered.end(), [](const TensorSource* a, const TensorSource* b) {
    return dtype_bytes(a->dtype) > dtype_bytes(b->dtype);
  });
  const std::string header = header_bytes(ordered);
  std::int64_t total = static_cast<std::int64_t>(header.size());
  for (const TensorSource* tensor : ordered) total += source_bytes(*tensor);

  AtomicFile file(path, total);
  file.write(header);
  for (const TensorSource* tensor : ordered) {
    job.progress("saving", "bytes", file.bytes_written(), total);
    const std::span<const std::byte> bytes = tensor->bytes();
    check(bytes.size() == static_cast<std::size_t>(source_bytes(*tensor)), "[save] tensor \"", tensor->name, "\" gave ",
          bytes.size(), " bytes, expected ", source_bytes(*tensor));
    file.write(bytes);
  }
  file.commit();
  return {path.filename().string(), total, file.sha256()};
}

}  // namespace lathe
