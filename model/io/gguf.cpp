#include "model/io/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <unordered_set>
#include <utility>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/gguf_cursor.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::uint64_t kMaxTensors = 1'000'000;
constexpr std::uint64_t kMaxValues = 1'000'000;
constexpr std::size_t kMaxKeyBytes = 65'535;
constexpr std::size_t kMaxNameBytes = 63;  // llama.cpp keeps names in 64 bytes with a NUL
constexpr std::uint32_t kMaxDims = 4;
constexpr std::uint64_t kMaxAlignment = 65'536;

constexpr const char* kSupported =
    "F32, F16, BF16, F64, I8 to I64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, Q8_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0, "
    "MXFP4";

/// A tensor type and its number in the format.
struct TypeNumber {
  std::uint32_t number;
  StoredType type;
};

constexpr std::array<TypeNumber, 8> kPlainTypes{{{0, DType::F32},
                                                 {1, DType::F16},
                                                 {24, DType::I8},
                                                 {25, DType::I16},
                                                 {26, DType::I32},
                                                 {27, DType::I64},
                                                 {28, DType::F64},
                                                 {30, DType::BF16}}};

/// The tensor type of that number, or nullopt if Lathe cannot read it.
std::optional<StoredType> stored_type(std::uint32_t number) {
  for (const TypeNumber& plain : kPlainTypes) {
    if (plain.number == number) return plain.type;
  }
  const auto quant = static_cast<QuantType>(number);
  return block_size(quant).bytes > 1 ? std::optional<StoredType>(quant) : std::nullopt;
}

void check_magic(GgufCursor& cursor, std::span<const std::byte> bytes, const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  const auto start = bytes.first(std::min(bytes.size(), kMagic.size()));
  if (!std::equal(start.begin(), start.end(), kMagic.begin(), kMagic.end(),
                  [](std::byte byte, char c) { return static_cast<char>(byte) == c; })) {
    if (auto foreign = describe_foreign_file(bytes)) {
      foreign->where = path;
      throw Error(*std::move(foreign));
    }
    if (bytes.size() < kMagic.size()) cursor.take<std::uint32_t>("the magic");  // says that it is cut off
    cursor.fail(ErrorCode::WrongFormat, "this is not a GGUF file", "other first bytes", "\"GGUF\"");
  }
  cursor.take<std::uint32_t>("the magic");
  const auto version = cursor.take<std::uint32_t>("the version");
  if (version != 0 && (version & 0xFFFF) == 0) {
    cursor.fail(ErrorCode::Endian, "the file is big-endian", text("version ", version), "a little-endian file");
  }
  if (version != 2 && version != 3) {
    cursor.fail(ErrorCode::Version, "this version of GGUF is not read", text("version ", version), "2 or 3");
  }
}

std::string_view take_key(GgufCursor& cursor) {
  const std::string_view key = cursor.take_string("a key");
  if (key.empty()) cursor.fail(ErrorCode::Name, "a key is empty", "\"\"", "a name");
  if (key.size() > kMaxKeyBytes) {
    cursor.fail(ErrorCode::Limit, "a key is too long", text(key.size(), " bytes"), text("at most ", kMaxKeyBytes));
  }
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable) cursor.fail(ErrorCode::Name, "a key cannot be printed", "other bytes", "printable ASCII");
  return key;
}

std::string take_name(GgufCursor& cursor) {
  const std::string_view name = cursor.take_string("a tensor's name");
  if (name.empty()) cursor.fail(ErrorCode::Name, "a tensor has no name", "\"\"", "a name");
  if (name.size() > kMaxNameBytes) {
    cursor.fail(ErrorCode::Name, "a tensor's name is too long", text(name.size(), " bytes"),
                text("at most ", kMaxNameBytes, " bytes"));
  }
  if (name.find('\0') != std::string_view::npos || valid_utf8_prefix(name) != name.size()) {
    cursor.fail(ErrorCode::Name, "a tensor's name holds bytes that no name has", "NUL or no UTF-8", "UTF-8 text");
  }
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
  const auto fail = [&](ErrorCode code, std::string what, std::string got, std::string expected) {
    cursor.fail(code, std::move(what), std::move(got), std::move(expected), text("tensor \"", info.tensor.name, "\""));
  };
  const auto num_dims = cursor.take<std::uint32_t>("a number of dimensions");
  if (num_dims > kMaxDims) fail(ErrorCode::Limit, "too many dimensions", text(num_dims), text("at most ", kMaxDims));
  for (std::uint32_t i = 0; i < num_dims; ++i) {
    const auto dim = cursor.take<std::uint64_t>("a dimension");
    if (dim > std::numeric_limits<std::int64_t>::max()) {
      fail(ErrorCode::Overflow, "a dimension is too large", text(dim), "less than 2^63");
    }
    info.tensor.shape.insert(info.tensor.shape.begin(), static_cast<std::int64_t>(dim));
  }
  const auto type_number = cursor.take<std::uint32_t>("a tensor's type");
  const auto type = stored_type(type_number);
  if (!type) fail(ErrorCode::Dtype, "the tensor's type cannot be read", text("type number ", type_number), kSupported);
  info.tensor.type = *type;
  info.offset = cursor.take<std::uint64_t>("a tensor's offset");
  const std::int64_t row = info.tensor.shape.empty() ? 1 : info.tensor.shape.back();
  const BlockSize block = block_size(*type);
  if (row % block.values != 0) {
    fail(ErrorCode::Size, text("rows are not whole blocks of ", type_name(*type)), text(row, " values"),
         text("a multiple of ", block.values));
  }
  const auto num_bytes = stored_bytes(*type, info.tensor.shape);
  if (!num_bytes) {
    fail(ErrorCode::Overflow, "the shape is too large for any memory", shape_text(info.tensor.shape),
         "fewer than 2^63 bytes");
  }
  info.num_bytes = static_cast<std::uint64_t>(*num_bytes);
  return info;
}

/// `general.alignment`, which the format wants to be a u32 and a power of two.
std::uint64_t alignment_of(const std::map<std::string, GgufValue, std::less<>>& metadata, const GgufCursor& cursor) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  if (found->second.type != GgufValueType::U32) {
    cursor.fail(ErrorCode::Schema, "general.alignment is of another type",
                std::string(gguf_type_name(found->second.type)), "u32");
  }
  const auto value = std::get<std::uint64_t>(found->second.value);
  if (!std::has_single_bit(value) || value > kMaxAlignment) {
    cursor.fail(ErrorCode::Alignment, "general.alignment cannot be used", text(value),
                text("a power of two up to ", kMaxAlignment));
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
    const auto fail = [&](ErrorCode code, std::string what, std::string got, std::string wanted) {
      cursor.fail(code, std::move(what), std::move(got), std::move(wanted), text("tensor \"", info.tensor.name, "\""));
    };
    if (info.offset % alignment != 0) {
      fail(ErrorCode::Alignment, "the tensor is not aligned", text("offset ", info.offset),
           text("a multiple of ", alignment));
    }
    if (info.offset != expected) {
      fail(ErrorCode::Offsets, "the tensors overlap or leave a hole", text("offset ", info.offset), text(expected));
    }
    // By subtraction: a sum could wrap.
    if (info.offset > data.size() || info.num_bytes > data.size() - info.offset) {
      fail(ErrorCode::Truncated, "the file is cut off", text(data.size(), " bytes of data"),
           text(info.num_bytes, " bytes from offset ", info.offset));
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
  check_magic(cursor, file_.bytes(), path.string());
  constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;
  constexpr std::uint64_t kMinValueBytes = 8 + 4 + 1;
  const std::uint64_t num_tensors = cursor.take_count("tensors", kMinTensorBytes);
  const std::uint64_t num_values = cursor.take_count("metadata values", kMinValueBytes);
  if (num_tensors > kMaxTensors || num_values > kMaxValues) {
    cursor.fail(ErrorCode::Limit, "more tensors or metadata values than any real file has",
                text(num_tensors, " tensors, ", num_values, " values"), text("at most ", kMaxTensors));
  }

  for (std::uint64_t i = 0; i < num_values; ++i) {
    const std::string key(take_key(cursor));
    if (!metadata_.emplace(key, take_gguf_value(cursor, key)).second) {
      cursor.fail(ErrorCode::DuplicateKey, "a key is there twice", text("a second \"", key, "\""), "every key once");
    }
  }
  std::vector<TensorInfo> infos;
  std::unordered_set<std::string> names;
  for (std::uint64_t i = 0; i < num_tensors; ++i) {
    infos.push_back(take_tensor_info(cursor));
    const std::string& name = infos.back().tensor.name;
    if (!names.insert(name).second) {
      cursor.fail(ErrorCode::DuplicateKey, "a tensor is there twice", text("a second \"", name, "\""),
                  "every tensor once");
    }
  }
  const std::uint64_t alignment = alignment_of(metadata_, cursor);
  const std::uint64_t start = std::min<std::uint64_t>(padded(cursor.offset(), alignment), file_.bytes().size());
  const std::uint64_t trailing = place_tensors(infos, file_.bytes().subspan(start), cursor, alignment);
  if (trailing > 0) warnings_.push_back(text(trailing, " bytes after the last tensor belong to none"));
  for (TensorInfo& info : infos) tensors_.push_back(std::move(info.tensor));
}

}  // namespace lathe
