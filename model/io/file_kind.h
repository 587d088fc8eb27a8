#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace lathe {

/// A sentence that says what a file that is not a model really is and what to do (a Git LFS pointer, a web page, a zip
/// or pickle of PyTorch, the other model format), or "" if its first bytes tell nothing.
std::string describe_foreign_file(std::span<const std::byte> bytes);

}  // namespace lathe
