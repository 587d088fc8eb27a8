#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/data/config.h"
#include "model/data/error.h"

namespace lathe {

/// How a tensor of a file stands to those that the config describes.
enum class TensorState : std::uint8_t { Matched, Missing, Unexpected, WrongShape };

/// "matched", "missing", "unexpected", "wrong shape".
const char* name_of(TensorState state);

/// One tensor of a model, in a file or in memory.
struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string dtype;       ///< as its file names it ("BF16", "Q4_K"), or "f32" in memory; empty if it is missing
  std::int64_t bytes = 0;  ///< as stored
  std::string file{};      ///< that it lies in, without folder; empty in memory
  TensorState state = TensorState::Matched;
  std::vector<std::int64_t> expected_shape{};  ///< of WrongShape
};

/// What the weights need in one form on one device, and what there is.
struct MemoryChoice {
  std::string device;  ///< as --device takes it: "cpu", "cuda:0"
  std::string dtype;   ///< "f32", "bf16", "f16"
  std::int64_t need_bytes = 0;
  std::int64_t free_bytes = 0;

  bool fits() const { return need_bytes <= free_bytes; }
};

/// What there is to know of a model before it is loaded: its headers were read and checked, none of its weights.
struct ModelPreview {
  std::string path;           ///< as it was asked for
  std::string config_path{};  ///< as it was asked for
  std::string format{};
  std::string architecture{};  ///< `model_type` of the config
  std::optional<ModelConfig> config{};
  std::vector<TensorInfo> tensors{};
  std::map<std::string, std::int64_t> dtypes{};  ///< how many tensors have each
  std::int64_t stored_bytes = 0;                 ///< of all tensors
  std::string tokenizer{};                       ///< "49152 tokens, chat template"
  std::vector<MemoryChoice> memory{};            ///< the CPU's first; empty without a config
  std::vector<std::string> warnings{};
  std::optional<ErrorParts> refusal{};  ///< why it cannot be opened, whatever memory there is
  double seconds = 0.0;                 ///< that looking took
};

/// The device and dtype that "auto" means among the choices: the first GPU in bf16, else the CPU in f32. Another name
/// stays as it is; "cuda" is the first GPU.
MemoryChoice chosen(const std::vector<MemoryChoice>& choices, const std::string& device, const std::string& dtype);

/// Why loading in this form cannot be, with the smallest change that fits as the next step: another dtype first, then
/// another device. Nothing if it fits or is not known.
std::optional<ErrorParts> memory_refusal(const std::vector<MemoryChoice>& choices, const MemoryChoice& wanted,
                                         const std::string& path);

}  // namespace lathe
