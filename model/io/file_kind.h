#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "model/data/error.h"

namespace lathe {

/// What a file really is, by its first bytes: a Git LFS pointer, a web page, an archive, another model format; with the
/// code, the sentence and the next step for a refusal (`where` is left empty). Nothing if the bytes tell nothing.
std::optional<ErrorParts> describe_foreign_file(std::span<const std::byte> bytes);

}  // namespace lathe
