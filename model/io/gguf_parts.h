#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "model/io/gguf.h"

namespace lathe {

/// The files of one model: one, or all parts of a split one in order. The first holds the metadata.
using GgufParts = std::vector<std::shared_ptr<const GgufFile>>;

/// Opens `path`, and with a part of a split model ("name-00002-of-00003.gguf") all others beside it.
/// Throws Error if a part is missing or does not belong to the others, or a tensor is in two of them.
/// Source: llama.cpp tools/gguf-split and src/llama-model-loader.cpp.
GgufParts open_gguf_parts(const std::filesystem::path& path);

/// Whether both are parts of the same split model.
bool same_gguf_split(const std::filesystem::path& a, const std::filesystem::path& b);

/// The tensor of that name in any part, or nullptr.
const GgufTensor* find_tensor(const GgufParts& parts, std::string_view name);

}  // namespace lathe
