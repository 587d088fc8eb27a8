#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/data/job.h"
#include "model/io/dtype.h"

namespace lathe {

class GgufFile;
class PytorchFile;
class SafetensorsFile;
class StoredChecksum;

/// Rows of rotary pairs that lie side by side in the file (re0, im0, re1, im1 ...): in every `block` rows, the `count`
/// from `first` on. read_rows gives them as Hugging Face's Llama has them: all re, then all im.
struct InterleavedRows {
  std::int64_t block = 0;  ///< 0: none
  std::int64_t first = 0;
  std::int64_t count = 0;

  bool operator==(const InterleavedRows&) const = default;
};

/// Parts of equal size that a tensor is put together from: one below the other, or side by side.
struct TensorParts {
  std::vector<std::span<const std::byte>> bytes;
  bool side_by_side = false;
};

struct KeyValueParts;

/// One tensor of a checkpoint: the name that its file has and its shape, and its bytes as they lie in the mapped file.
/// A row is a run of the last dimension; a tensor of one dimension is one row.
struct TensorEntry {
  std::string name;
  StoredType type = DType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< valid while the Checkpoint lives; not aligned: copy, never cast

  InterleavedRows interleaved{};  ///< `bytes` are in the file's order
  TensorParts parts{};            ///< if there are any, the tensor is made of these, and `bytes` is empty
  std::shared_ptr<const KeyValueParts> key_value{};  ///< if there, the tensor is made of it, and `bytes` is empty
  std::vector<std::int64_t> strides{};  ///< of a view whose values do not lie in order, in values; else empty

  /// What the file says of the bytes, compared when they are first read.
  std::vector<std::shared_ptr<const StoredChecksum>> checksums{};
  std::string file{};  ///< the name of the file that it lies in

  std::int64_t row_length() const;  ///< values in a row
  std::int64_t num_rows() const;
  std::int64_t num_values() const { return row_length() * num_rows(); }
  std::int64_t num_bytes() const;  ///< as stored

  /// Whether `bytes` are values of `dtype` in Hugging Face's order, to be used as they are.
  bool is_plain(DType dtype) const {
    return interleaved.block == 0 && parts.bytes.empty() && !key_value && strides.empty() && type == StoredType(dtype);
  }
};

/// kv_b of an MLA layer as llama.cpp keeps it. Of each of H heads, N rows of kv_b are columns of `keys` and V rows are
/// rows of `values`.  Source: llama.cpp conversion/deepseek.py.
struct KeyValueParts {
  TensorEntry keys;    ///< [H, R, N], R kv_lora_rank
  TensorEntry values;  ///< [H, V, R]
};

/// Writes rows [first_row, first_row + count) as f32 into `out`, from any stored type, in Hugging Face's row order.
/// Shapes: out has count * row_length() values.  Throws Error if the range or the size of `out` does not fit, or if the
/// file's checksum shows damage (E_CHECKSUM).
/// Thread: safe to call at once from many threads on different rows; that is how a caller loads in parallel.
void read_rows(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::span<float> out);

/// As read_rows, but gives bf16 bit patterns, rounded to nearest even (exact if stored as BF16).
void read_rows_bf16(const TensorEntry& entry, std::int64_t first_row, std::int64_t count, std::span<std::uint16_t> out);

/// What a Checkpoint is made of. The tensors' bytes lie in the files that it keeps open.
struct CheckpointParts {
  std::filesystem::path path;
  std::filesystem::path folder;
  std::filesystem::path config_folder;  ///< of a config that the user named; empty: `folder`
  nlohmann::json config_json;
  std::map<std::string, TensorEntry, std::less<>> tensors;
  std::vector<std::string> warnings;
  std::vector<std::shared_ptr<const SafetensorsFile>> shards;
  std::vector<std::shared_ptr<const PytorchFile>> pytorch;
  std::vector<std::shared_ptr<const GgufFile>> gguf;  ///< the first holds the metadata
};

/// A model's files, opened and checked but not yet loaded: its config in Hugging Face form and its tensors by name.
/// Copies share the open files.
class Checkpoint {
 public:
  Checkpoint() = default;
  explicit Checkpoint(CheckpointParts parts) : parts_(std::move(parts)) {}

  /// `config.json`, or what GGUF's metadata says in the same form. Read it with config_from_json.
  const nlohmann::json& config_json() const { return parts_.config_json; }

  /// All tensors by Hugging Face name ("model.layers.0.self_attn.q_proj.weight", see canonical_names.h). A tied lm_head
  /// is absent.
  const std::map<std::string, TensorEntry, std::less<>>& tensors() const { return parts_.tensors; }

  /// The tensor of that name, or nullptr.
  const TensorEntry* find(std::string_view name) const;

  /// The tensor of that name. Throws Error if there is none.
  const TensorEntry& at(std::string_view name) const;

  /// What the user opened.
  const std::filesystem::path& path() const { return parts_.path; }

  /// The folder that the files lie in: tokenizer.json and its companions are looked for here.
  const std::filesystem::path& folder() const { return parts_.folder; }

  /// Where the config lies that the user named: a tokenizer that is not in folder() is looked for here. Empty if none
  /// was named.
  const std::filesystem::path& config_folder() const { return parts_.config_folder; }

  /// "safetensors", "PyTorch" or "GGUF".
  std::string_view format() const;

  /// The GGUF file, which also holds the tokenizer, or nullptr if the model is in another format.
  const GgufFile* gguf() const { return parts_.gguf.empty() ? nullptr : parts_.gguf.front().get(); }

  /// Oddities that do not keep the model from being used, one sentence each.
  const std::vector<std::string>& warnings() const { return parts_.warnings; }

  /// Bytes of all tensors as stored.
  std::int64_t tensor_bytes() const;

 private:
  CheckpointParts parts_;
};

/// Opens a Hugging Face folder (one or many safetensors or PyTorch files), a folder of Meta's (consolidated.00.pth ...
/// and params.json), a folder whose model is one .gguf, or a .gguf, .safetensors, .bin, .pt or .pth file.
/// Every header is validated before a byte of a tensor is used; reading the tensors is left to read_rows.
/// `config_path` stands for the config.json beside weights that have none, or another one; a .gguf holds its own.
/// Throws Error that says what is wrong with which file, or what kinds of path are supported; Cancelled.
Checkpoint open_checkpoint(const std::filesystem::path& path, const Job& job = {},
                           const std::filesystem::path& config_path = {});

}  // namespace lathe
