#include "model/io/gguf_writer.h"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <unordered_set>

#include "model/data/error.h"
#include "model/io/atomic_file.h"
#include "model/io/gguf_value.h"

namespace lathe {

namespace {

constexpr std::int64_t kAlignment = 32;
constexpr std::size_t kMaxNameBytes = 63;  // llama.cpp keeps names in 64 bytes with a NUL

[[noreturn]] void refuse(const std::filesystem::path& path, ErrorCode code, std::string what, std::string got,
                         std::string expected) {
  throw Error({.code = code,
               .what = std::move(what),
               .where = path.string(),
               .got = std::move(got),
               .expected = std::move(expected),
               .hint = "nothing was written"});
}

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put(std::string& out, GgufValueType type) { put(out, static_cast<std::uint32_t>(type)); }

void put(std::string& out, const std::string& text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

template <typename T>
void put_array(std::string& out, GgufValueType element, const std::vector<T>& values) {
  put(out, GgufValueType::Array);
  put(out, element);
  put<std::uint64_t>(out, values.size());
  for (const T& value : values) put(out, value);
}

struct PutField {
  std::string& out;

  void operator()(std::uint32_t value) const { put(out, GgufValueType::U32), put(out, value); }
  void operator()(float value) const { put(out, GgufValueType::F32), put(out, value); }
  void operator()(bool value) const { put(out, GgufValueType::Bool), put<std::uint8_t>(out, value ? 1 : 0); }
  void operator()(const std::string& value) const { put(out, GgufValueType::String), put(out, value); }
  void operator()(const std::vector<std::int32_t>& values) const { put_array(out, GgufValueType::I32, values); }
  void operator()(const std::vector<float>& values) const { put_array(out, GgufValueType::F32, values); }
  void operator()(const std::vector<std::string>& values) const { put_array(out, GgufValueType::String, values); }
};

std::uint32_t type_number(StoredType type) {
  if (const auto* quant = std::get_if<QuantType>(&type)) return static_cast<std::uint32_t>(*quant);
  switch (std::get<DType>(type)) {
    case DType::F16:
      return 1;
    case DType::BF16:
      return 30;
    default:
      return 0;
  }
}

std::int64_t padded(std::int64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

/// Sizes of the tensors in bytes, once all of them can be written.
std::vector<std::int64_t> checked_sizes(const std::filesystem::path& path, std::span<const GgufTensorSource> tensors) {
  std::unordered_set<std::string_view> names;
  std::vector<std::int64_t> sizes;
  for (const GgufTensorSource& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > kMaxNameBytes || !names.insert(tensor.name).second) {
      refuse(path, ErrorCode::Name, "a tensor's name cannot be written", text("\"", tensor.name, "\""),
             text("a name of up to ", kMaxNameBytes, " bytes, every name once"));
    }
    const auto* plain = std::get_if<DType>(&tensor.type);
    if (plain != nullptr && *plain != DType::F32 && *plain != DType::F16 && *plain != DType::BF16) {
      refuse(path, ErrorCode::Dtype, "a tensor of this type is not written", std::string(dtype_name(*plain)),
             "F32, F16, BF16 or a quantised type");
    }
    const auto bytes = stored_bytes(tensor.type, tensor.shape);
    const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (!bytes || tensor.shape.size() > 4 || row % block_size(tensor.type).values != 0) {
      refuse(path, ErrorCode::Size, text("tensor \"", tensor.name, "\" cannot have this shape"),
             shape_text(tensor.shape), text("up to 4 dimensions, rows of whole blocks of ", type_name(tensor.type)));
    }
    sizes.push_back(*bytes);
  }
  return sizes;
}

/// All that goes before the tensors' bytes.
std::string header_bytes(const GgufFields& metadata, std::span<const GgufTensorSource> tensors,
                         std::span<const std::int64_t> sizes) {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, tensors.size());
  put<std::uint64_t>(out, metadata.size());
  for (const auto& [key, field] : metadata) {
    put(out, key);
    std::visit(PutField{out}, field);
  }
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    put(out, tensors[i].name);
    put(out, static_cast<std::uint32_t>(tensors[i].shape.size()));
    for (auto dim = tensors[i].shape.rbegin(); dim != tensors[i].shape.rend(); ++dim) put(out, *dim);
    put(out, type_number(tensors[i].type));
    put(out, offset);
    offset += padded(sizes[i]);
  }
  out.resize(static_cast<std::size_t>(padded(static_cast<std::int64_t>(out.size()))), '\0');
  return out;
}

}  // namespace

WrittenFile write_gguf(const std::filesystem::path& path, const GgufFields& metadata,
                       std::span<const GgufTensorSource> tensors, const Job& job,
                       const std::function<void(const std::filesystem::path&)>& verify) {
  const std::vector<std::int64_t> sizes = checked_sizes(path, tensors);
  const std::string header = header_bytes(metadata, tensors, sizes);
  std::int64_t total = static_cast<std::int64_t>(header.size());
  for (const std::int64_t size : sizes) total += padded(size);

  AtomicFile file(path, total);
  file.write(header);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::int64_t written = 0;
    tensors[i].bytes([&](std::span<const std::byte> piece) {
      job.progress("saving", "bytes", file.bytes_written(), total);
      written += static_cast<std::int64_t>(piece.size());
      if (written <= sizes[i]) file.write(piece);
    });
    if (written != sizes[i]) {
      refuse(path, ErrorCode::Size, text("tensor \"", tensors[i].name, "\" gave another number of bytes"),
             text(written), text(sizes[i]));
    }
    file.write(std::string(static_cast<std::size_t>(padded(written) - written), '\0'));
  }
  file.commit(verify);
  return {path.filename().string(), total, file.sha256()};
}

}  // namespace lathe
