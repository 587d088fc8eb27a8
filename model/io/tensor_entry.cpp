#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/dequantize.h"
#include "model/io/mapping_guard.h"
#include "model/io/stored_checksum.h"

namespace lathe {

namespace {

/// Checks what is asked for, and that the file is not damaged where it lies.
void check_range(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::size_t out_size) {
  const bool inside = first_row >= 0 && count >= 0 && count <= entry.num_rows() - first_row;
  check(inside, "[read] tensor \"", entry.name, "\" ", shape_text(entry.shape), " has ", entry.num_rows(),
        " rows; asked for ", count, " from row ", first_row);
  check(out_size == static_cast<std::size_t>(count * entry.row_length()), "[read] tensor \"", entry.name, "\": ", count,
        " rows of ", entry.row_length(), " values do not fit in ", out_size, " places");
  for (const auto& checksum : entry.checksums) checksum->verify();
}

/// Where the file keeps what Hugging Face has at `row`: of a block of C interleaved rows, row j * C/2 + i lies at
/// 2 * i + j. Source: llama.cpp conversion/llama.py, `permute`.
std::int64_t stored_row(const InterleavedRows& interleaved, std::int64_t row) {
  if (interleaved.block == 0) return row;
  const std::int64_t start = row - row % interleaved.block + interleaved.first;
  const std::int64_t place = row - start;
  if (place < 0 || place >= interleaved.count) return row;
  const std::int64_t half = interleaved.count / 2;
  return start + 2 * (place % half) + place / half;
}

std::span<const std::byte> run(std::span<const std::byte> bytes, std::int64_t first, std::int64_t count) {
  return bytes.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

/// Reads rows whose values are not side by side: each is brought together first.
void read_strided(const TensorEntry& entry, std::int64_t first, std::int64_t count, std::span<float> out) {
  const auto value_bytes = block_size(entry.type).bytes;
  const std::int64_t length = entry.row_length();
  std::vector<std::byte> values(static_cast<std::size_t>(length * value_bytes));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t start = 0;
    std::int64_t row = first + i;
    for (std::size_t dim = entry.shape.size() - 1; dim-- > 0;) {
      start += row % entry.shape[dim] * entry.strides[dim];
      row /= entry.shape[dim];
    }
    for (std::int64_t j = 0; j < length; ++j) {
      const std::int64_t place = start + j * entry.strides.back();
      std::memcpy(values.data() + j * value_bytes, entry.bytes.data() + place * value_bytes,
                  static_cast<std::size_t>(value_bytes));
    }
    dequantize(entry.type, values, out.subspan(static_cast<std::size_t>(i * length), static_cast<std::size_t>(length)));
  }
}

/// Reads rows that lie together in the file's order.
void read_stored(const TensorEntry& entry, std::int64_t first, std::int64_t count, std::span<float> out) {
  if (!entry.strides.empty()) return read_strided(entry, first, count, out);
  const BlockSize block = block_size(entry.type);
  const std::int64_t row_bytes = entry.row_length() / block.values * block.bytes;
  if (entry.parts.bytes.empty()) {
    return dequantize(entry.type, run(entry.bytes, first * row_bytes, count * row_bytes), out);
  }
  // Row by row, and in a row that spans all parts piece by piece.
  const auto parts = static_cast<std::int64_t>(entry.parts.bytes.size());
  const std::int64_t pieces = entry.parts.side_by_side ? parts : 1;
  const std::int64_t piece_bytes = row_bytes / pieces;
  const std::int64_t rows_per_part = entry.parts.side_by_side ? entry.num_rows() : entry.num_rows() / parts;
  const std::int64_t length = entry.row_length() / pieces;
  for (std::int64_t i = 0; i < count * pieces; ++i) {
    const std::int64_t row = first + i / pieces;
    const auto part = static_cast<std::size_t>(entry.parts.side_by_side ? i % pieces : row / rows_per_part);
    const auto bytes = run(entry.parts.bytes[part], row % rows_per_part * piece_bytes, piece_bytes);
    dequantize(entry.type, bytes, out.subspan(static_cast<std::size_t>(i * length), static_cast<std::size_t>(length)));
  }
}

/// Reads rows of a kv_b whose keys lie transposed. A head's keys are read once for all of its rows in the range.
void read_key_value(const KeyValueParts& parts, std::int64_t first, std::int64_t count, std::span<float> out) {
  const std::int64_t rank = parts.keys.shape[1];
  const std::int64_t num_keys = parts.keys.shape[2];
  const std::int64_t num_values = parts.values.shape[1];
  std::vector<float> keys_RN;
  std::int64_t head_of_keys = -1;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t head = (first + i) / (num_keys + num_values);
    const std::int64_t place = (first + i) % (num_keys + num_values);
    const auto row = out.subspan(static_cast<std::size_t>(i * rank), static_cast<std::size_t>(rank));
    if (place >= num_keys) {
      read_stored(parts.values, head * num_values + place - num_keys, 1, row);
      continue;
    }
    if (head != head_of_keys) {
      keys_RN.resize(static_cast<std::size_t>(rank * num_keys));
      read_stored(parts.keys, head * rank, rank, keys_RN);
      head_of_keys = head;
    }
    for (std::int64_t r = 0; r < rank; ++r) {
      row[static_cast<std::size_t>(r)] = keys_RN[static_cast<std::size_t>(r * num_keys + place)];
    }
  }
}

/// A bias: one row whose values are permuted like the rows of its weight.
void read_interleaved_bias(const TensorEntry& entry, std::span<float> out) {
  std::vector<float> stored(out.size());
  read_stored(entry, 0, 1, stored);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = stored[static_cast<std::size_t>(stored_row(entry.interleaved, static_cast<std::int64_t>(i)))];
  }
}

void read_in_order(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::span<float> out) {
  if (entry.key_value) return read_key_value(*entry.key_value, first_row, count, out);
  if (entry.interleaved.block == 0) return read_stored(entry, first_row, count, out);
  if (entry.shape.size() == 1) return read_interleaved_bias(entry, out);
  const auto length = static_cast<std::size_t>(entry.row_length());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t stored = stored_row(entry.interleaved, first_row + i);
    read_stored(entry, stored, 1, out.subspan(static_cast<std::size_t>(i) * length, length));
  }
}

void check_there(const TensorEntry& entry) {
  check_not_lost(entry.bytes);
  for (const auto part : entry.parts.bytes) check_not_lost(part);
  if (!entry.key_value) return;
  check_not_lost(entry.key_value->keys.bytes);
  check_not_lost(entry.key_value->values.bytes);
}

}  // namespace

std::int64_t TensorEntry::row_length() const { return shape.empty() ? 1 : shape.back(); }

std::int64_t TensorEntry::num_rows() const {
  if (shape.empty()) return 1;
  return std::accumulate(shape.begin(), shape.end() - 1, std::int64_t{1}, std::multiplies<>());
}

std::int64_t TensorEntry::num_bytes() const {
  if (key_value) return key_value->keys.num_bytes() + key_value->values.num_bytes();
  const BlockSize block = block_size(type);
  return num_values() / block.values * block.bytes;
}

void read_rows(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::span<float> out) {
  check_range(entry, first_row, count, out.size());
  if (out.empty()) return;
  read_in_order(entry, first_row, count, out);
  check_there(entry);
}

void read_rows_bf16(const TensorEntry& entry, std::int64_t first_row, std::int64_t count,
                    std::span<std::uint16_t> out) {
  check_range(entry, first_row, count, out.size());
  if (out.empty()) return;
  if (entry.is_plain(DType::BF16)) {
    const std::int64_t row_bytes = entry.row_length() * dtype_bytes(DType::BF16);
    std::memcpy(out.data(), entry.bytes.data() + first_row * row_bytes, static_cast<std::size_t>(count * row_bytes));
    return check_there(entry);
  }
  // A few rows at a time, so that the f32 values stay in the cache.
  constexpr std::int64_t kChunkValues = 16384;
  const std::int64_t length = entry.row_length();
  const std::int64_t step = std::clamp<std::int64_t>(kChunkValues / length, 1, count);
  std::vector<float> values(static_cast<std::size_t>(step * length));
  for (std::int64_t i = 0; i < count; i += step) {
    const std::int64_t rows = std::min(step, count - i);
    const std::span<float> chunk(values.data(), static_cast<std::size_t>(rows * length));
    read_rows(entry, first_row + i, rows, chunk);
    bf16_from_f32(chunk, out.subspan(static_cast<std::size_t>(i * length), chunk.size()));
  }
}

}  // namespace lathe
