#include "app/picture.h"

#include <png.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "model/data/error.h"

namespace lathe {
namespace {

/// While it lives, writing to a program that is gone is an error and not the end of this one.
class IgnoreBrokenPipe {
 public:
  ~IgnoreBrokenPipe() { std::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int) = std::signal(SIGPIPE, SIG_IGN);
};

}  // namespace

std::string png_of(const Picture& picture) {
  std::vector<std::uint8_t> opaque = picture.rgba;
  for (std::size_t i = 3; i < opaque.size(); i += 4) opaque[i] = 255;
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGBA;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string png(bytes, '\0');
  const int written = png_image_write_to_memory(&image, png.data(), &bytes, /*convert_to_8_bit=*/0, opaque.data(),
                                                /*row_stride=*/0, nullptr);
  check(written != 0, "cannot make a PNG of ", picture.width, " x ", picture.height, " pixels: ", image.message);
  png.resize(bytes);
  return png;
}

void copy_picture(const Picture& picture) {
  const char* wayland = std::getenv("WAYLAND_DISPLAY");
  const char* program = wayland != nullptr ? "wl-copy --type image/png 2>/dev/null"
                                           : "xclip -selection clipboard -t image/png 2>/dev/null";
  const std::string png = png_of(picture);
  const IgnoreBrokenPipe ignore;
  std::FILE* pipe = popen(program, "w");
  check(pipe != nullptr, "cannot start ", program);
  const bool written = std::fwrite(png.data(), 1, png.size(), pipe) == png.size();
  check(pclose(pipe) == 0 && written, "the picture was not copied; install ",
        wayland != nullptr ? "wl-clipboard" : "xclip", ", or save it as PNG");
}

}  // namespace lathe
