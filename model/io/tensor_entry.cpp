#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/dequantize.h"

namespace lathe {

namespace {

void check_range(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::size_t out_size) {
  const bool inside = first_row >= 0 && count >= 0 && count <= entry.num_rows() - first_row;
  check(inside, "[read] tensor \"", entry.name, "\" ", shape_text(entry.shape), " has ", entry.num_rows(),
        " rows; asked for ", count, " from row ", first_row);
  check(out_size == static_cast<std::size_t>(count * entry.row_length()), "[read] tensor \"", entry.name, "\": ", count,
        " rows of ", entry.row_length(), " values do not fit in ", out_size, " places");
}

/// Where GGUF keeps what Hugging Face has at `row`: within a head of D rows, row j * D/2 + i lies at 2 * i + j.
/// Source: llama.cpp conversion/llama.py, `permute`.
std::int64_t stored_row(const TensorEntry& entry, std::int64_t row, std::int64_t total_rows) {
  if (entry.interleaved_heads == 0) return row;
  const std::int64_t head_rows = total_rows / entry.interleaved_heads;
  const std::int64_t head = row / head_rows;
  const std::int64_t in_head = row % head_rows;
  const std::int64_t half = head_rows / 2;
  return head * head_rows + 2 * (in_head % half) + in_head / half;
}

std::span<const std::byte> stored_rows(const TensorEntry& entry, std::int64_t first, std::int64_t count) {
  const BlockSize block = block_size(entry.type);
  const std::int64_t row_bytes = entry.row_length() / block.values * block.bytes;
  return entry.bytes.subspan(static_cast<std::size_t>(first * row_bytes), static_cast<std::size_t>(count * row_bytes));
}

/// A bias: one row whose values are permuted like the rows of its weight.
void read_interleaved_bias(const TensorEntry& entry, std::span<float> out) {
  std::vector<float> stored(out.size());
  dequantize(entry.type, entry.bytes, stored);
  const auto size = static_cast<std::int64_t>(out.size());
  for (std::int64_t i = 0; i < size; ++i) {
    out[static_cast<std::size_t>(i)] = stored[static_cast<std::size_t>(stored_row(entry, i, size))];
  }
}

}  // namespace

std::int64_t TensorEntry::row_length() const { return shape.empty() ? 1 : shape.back(); }

std::int64_t TensorEntry::num_rows() const {
  if (shape.empty()) return 1;
  return std::accumulate(shape.begin(), shape.end() - 1, std::int64_t{1}, std::multiplies<>());
}

void read_rows(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::span<float> out) {
  check_range(entry, first_row, count, out.size());
  if (out.empty()) return;
  if (entry.interleaved_heads == 0) return dequantize(entry.type, stored_rows(entry, first_row, count), out);
  if (entry.shape.size() == 1) return read_interleaved_bias(entry, out);
  const auto length = static_cast<std::size_t>(entry.row_length());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t stored = stored_row(entry, first_row + i, entry.num_rows());
    dequantize(entry.type, stored_rows(entry, stored, 1), out.subspan(static_cast<std::size_t>(i) * length, length));
  }
}

void read_rows_bf16(const TensorEntry& entry, std::int64_t first_row, std::int64_t count,
                    std::span<std::uint16_t> out) {
  check_range(entry, first_row, count, out.size());
  if (out.empty()) return;
  if (entry.is_plain(DType::BF16)) {
    const auto bytes = stored_rows(entry, first_row, count);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return;
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
