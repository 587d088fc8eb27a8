#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lathe {

/// Pixels of a frame: RGBA, 8 bits each, rows from the top.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgba;
};

/// The picture as a PNG file's bytes, opaque. Throws Error.
std::string png_of(const Picture& picture);

/// Puts the picture into the system's clipboard. Throws Error that names the program it needs.
void copy_picture(const Picture& picture);

}  // namespace lathe
