#include "model/io/gguf.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>
#include <utility>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/gguf_cursor.h"

namespace lathe {

namespace {

constexpr std::uint64_t kMaxTensors = 1'000'000;
constexpr std::uint64_t kMaxValues = 1'000'000;
constexpr std::size_t kMaxKeyBytes = 65'535;
constexpr std::size_t kMaxNameBytes = 63;  // llama.cpp keeps names in 64 bytes with a NUL
constexpr std::uint32_t kMaxDims = 4;
constexpr std::uint64_t kMaxAlignment = 65'536;

constexpr const char* kSupported = "F32, F16, BF16, F64, I8 to I64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";

/// The tensor type of that number in the format, or nullopt if Lathe cannot read it.
std::optional<StoredType> stored_type(std::uint32_t number) {
  switch (number) {
    case 0:
      return DType::F32;
    case 1:
      return DType::F16;
    case 2:
      return QuantType::Q4_0;
    case 3:
      return QuantType::Q4_1;
    case 6:
      return QuantType::Q5_0;
    case 7:
      return QuantType::Q5_1;
    case 8:
      return QuantType::Q8_0;
    case 12:
      return QuantType::Q4_K;
    case 13:
      return QuantType::Q5_K;
    case 14:
      return QuantType::Q6_K;
    case 24:
      return DType::I8;
    case 25:
      return DType::I16;
    case 26:
      return DType::I32;
    case 27:
      return DType::I64;
    case 28:
      return DType::F64;
    case 30:
      return DType::BF16;
    default:
      return std::nullopt;
  }
}

void check_magic(GgufCursor& cursor, std::span<const std::byte> bytes) {
  constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
  if (bytes.size() < 4 || cursor.take<std::uint32_t>("the magic") != kMagic) {
    const std::string foreign = describe_foreign_file(bytes);
    cursor.fail(foreign.empty() ? "the file does not start with \"GGUF\": it is not a GGUF file" : foreign);
  }
  const auto version = cursor.take<std::uint32_t>("the version");
  if (version != 0 && (version & 0xFFFF) == 0) cursor.fail("a big-endian file, which is not supported");
  if (version != 2 && version != 3) cursor.fail("version ", version, ", expected 2 or 3; convert the model again");
}

std::string_view take_key(GgufCursor& cursor) {
  const std::string_view key = cursor.take_string("a key");
  if (key.empty()) cursor.fail("a key is empty");
  if (key.size() > kMaxKeyBytes) cursor.fail("a key has ", key.size(), " bytes, expected at most ", kMaxKeyBytes);
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable) cursor.fail("a key holds characters that are not printable ASCII");
  return key;
}

std::string take_name(GgufCursor& cursor) {
  const std::string_view name = cursor.take_string("a tensor's name");
  if (name.empty()) cursor.fail("a tensor has an empty name");
  if (name.size() > kMaxNameBytes)
    cursor.fail("a tensor's name has ", name.size(), " bytes, expected at most ", kMaxNameBytes);
  if (name.find('\0') != std::string_view::npos) cursor.fail("a tensor's name holds a NUL");
  return std::string(name);
}

/// A row of the tensor table.
struct TensorInfo {
  GgufTensor tensor;
  std::uint64_t offset = 0;
  std::uint64_t num_bytes = 0;
};

/// Source: ggml src/gguf.cpp; where it multiplies unchecked, this does not.
TensorInfo take_tensor_info(GgufCursor& cursor) {
  TensorInfo info;
  info.tensor.name = take_name(cursor);
  const auto fail = [&](const auto&... parts) { cursor.fail("tensor \"", info.tensor.name, "\": ", parts...); };
  const auto num_dims = cursor.take<std::uint32_t>("a number of dimensions");
  if (num_dims > kMaxDims) fail(num_dims, " dimensions, expected at most ", kMaxDims);
  for (std::uint32_t i = 0; i < num_dims; ++i) {
    const auto dim = cursor.take<std::uint64_t>("a dimension");
    if (dim > std::numeric_limits<std::int64_t>::max()) fail("a dimension of ", dim, " is too large");
    info.tensor.shape.insert(info.tensor.shape.begin(), static_cast<std::int64_t>(dim));
  }
  const auto type_number = cursor.take<std::uint32_t>("a tensor's type");
  const auto type = stored_type(type_number);
  if (!type) fail("type number ", type_number, " is not supported; supported are ", kSupported);
  info.tensor.type = *type;
  info.offset = cursor.take<std::uint64_t>("a tensor's offset");
  const std::int64_t row = info.tensor.shape.empty() ? 1 : info.tensor.shape.back();
  const BlockSize block = block_size(*type);
  if (row % block.values != 0)
    fail("rows of ", row, " values are not whole blocks of ", block.values, " (", type_name(*type), ")");
  const auto num_bytes = stored_bytes(*type, info.tensor.shape);
  if (!num_bytes) fail("the shape ", shape_text(info.tensor.shape), " is too large");
  info.num_bytes = static_cast<std::uint64_t>(*num_bytes);
  return info;
}

/// `general.alignment`, which the format wants to be a u32 and a power of two.
std::uint64_t alignment_of(const std::map<std::string, GgufValue, std::less<>>& metadata, const GgufCursor& cursor) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  if (found->second.type != GgufValueType::U32) {
    cursor.fail("general.alignment is of type ", gguf_type_name(found->second.type), ", expected u32");
  }
  const auto value = std::get<std::uint64_t>(found->second.value);
  if (!std::has_single_bit(value) || value > kMaxAlignment) {
    cursor.fail("general.alignment is ", value, ", expected a power of two up to ", kMaxAlignment);
  }
  return value;
}

std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

/// Gives each tensor its bytes, which must follow one another in the table's order, each padded to the alignment.
/// `data` may lack the padding of the last tensor; returns the bytes after the last tensor.
std::uint64_t place_tensors(std::vector<TensorInfo>& infos, std::span<const std::byte> data, const GgufCursor& cursor,
                            std::uint64_t alignment) {
  std::uint64_t expected = 0;
  std::uint64_t end = 0;
  for (TensorInfo& info : infos) {
    const auto fail = [&](const auto&... parts) { cursor.fail("tensor \"", info.tensor.name, "\": ", parts...); };
    if (info.offset != expected)
      fail("offset ", info.offset, ", expected ", expected, ": tensors overlap or leave a hole");
    // By subtraction: a sum could wrap.
    if (info.offset > data.size() || info.num_bytes > data.size() - info.offset) {
      fail("needs ", info.num_bytes, " bytes from offset ", info.offset, ", but the data has ", data.size(),
           "; the file is cut off: download or copy it again");
    }
    info.tensor.bytes = data.subspan(info.offset, info.num_bytes);
    end = info.offset + info.num_bytes;
    expected = padded(end, alignment);
  }
  return data.size() - std::min<std::uint64_t>(data.size(), expected);
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path) {
  GgufCursor cursor(file_.bytes(), path.string());
  check_magic(cursor, file_.bytes());
  constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;
  constexpr std::uint64_t kMinValueBytes = 8 + 4 + 1;
  const std::uint64_t num_tensors = cursor.take_count("tensors", kMinTensorBytes);
  const std::uint64_t num_values = cursor.take_count("metadata values", kMinValueBytes);
  if (num_tensors > kMaxTensors || num_values > kMaxValues)
    cursor.fail("more than a million tensors or metadata values");

  for (std::uint64_t i = 0; i < num_values; ++i) {
    const std::string key(take_key(cursor));
    if (!metadata_.emplace(key, take_gguf_value(cursor, key)).second)
      cursor.fail("the key \"", key, "\" is there twice");
  }
  std::vector<TensorInfo> infos;
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < num_tensors; ++i) {
    infos.push_back(take_tensor_info(cursor));
    const std::string& name = infos.back().tensor.name;
    if (!names.insert(name).second) cursor.fail("the tensor \"", name, "\" is there twice");
  }
  const std::uint64_t alignment = alignment_of(metadata_, cursor);
  const std::uint64_t start = std::min<std::uint64_t>(padded(cursor.offset(), alignment), file_.bytes().size());
  const std::uint64_t trailing = place_tensors(infos, file_.bytes().subspan(start), cursor, alignment);
  if (trailing > 0) warnings_.push_back(text(trailing, " bytes after the last tensor belong to none"));
  for (TensorInfo& info : infos) tensors_.push_back(std::move(info.tensor));
}

}  // namespace lathe
