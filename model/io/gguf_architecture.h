#pragma once

#include <optional>
#include <string>

#include "model/data/config.h"
#include "model/data/error.h"
#include "model/io/gguf_writer.h"

namespace lathe {

/// The architectures of llama.cpp that Lathe writes.
enum class GgufArchitecture { Llama, Qwen2, Qwen2Moe, Deepseek2 };

/// The one that computes what this model does, or why none does. Source: llama.cpp src/models/*.cpp.
struct GgufFit {
  GgufArchitecture architecture = GgufArchitecture::Llama;
  std::optional<ErrorParts> refusal;
};
GgufFit fit_gguf(const ModelConfig& config);

/// "llama", "qwen2", "qwen2moe", "deepseek2".
std::string gguf_architecture_name(GgufArchitecture architecture);

/// The metadata that describes the network. Source: llama.cpp conversion/{base,llama,qwen,deepseek}.py.
GgufFields gguf_network_fields(GgufArchitecture architecture, const ModelConfig& config);

}  // namespace lathe
