#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/data/config.h"
#include "model/data/error.h"
#include "model/data/job.h"
#include "model/io/dtype.h"
#include "model/io/safetensors.h"
#include "model/io/tokenizer.h"

namespace lathe {

/// A tensor under its name of canonical_names.h, experts one by one, in the row order of Checkpoint's tensors: rotary
/// pairs as halves.
struct RowSource {
  std::string name;
  std::vector<std::int64_t> shape;  ///< [O, I], or [O] for norms and biases

  /// Writes rows [first_row, first_row + count) as f32; `out` has count * I values. A tensor of one dimension is one
  /// row.
  std::function<void(std::int64_t first_row, std::int64_t count, std::span<float> out)> read_rows;
};

/// What a GGUF file of a model is made from.
struct GgufModel {
  std::string name;  ///< general.name
  ModelConfig config;
  std::vector<RowSource> tensors;
  TokenizerFiles tokenizer;      ///< of Tokenizer::files(); an empty tokenizer_json leaves the vocabulary out
  StoredType type = DType::F16;  ///< of matrices: F32, F16, BF16, Q8_0 or Q4_0; norms, biases and routers stay F32
};

/// Why llama.cpp could not run this model exactly, or nothing if it can.
std::optional<ErrorParts> gguf_refusal(const ModelConfig& config);

/// Writes the model as llama.cpp's converter does: its names and metadata, rotary rows side by side where it wants
/// them, experts merged, kv_b split into k_b and v_b. Reads a few rows at a time. Matrices whose rows are not whole
/// blocks of `type` are stored as F16; beside Q4_0 the matrix that gives the logits is Q8_0. Throws Error (refused
/// model, missing tensor, tokenizer of another kind, disk) or Cancelled; the file that was there then still is.
/// `verify` as AtomicFile::commit's.
/// Source: llama.cpp conversion/{base,llama,qwen,deepseek}.py.
WrittenFile write_gguf_model(const std::filesystem::path& path, const GgufModel& model, const Job& job = {},
                             const std::function<void(const std::filesystem::path&)>& verify = {});

}  // namespace lathe
