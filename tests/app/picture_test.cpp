#include "app/picture.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "model/data/error.h"

namespace lathe {
namespace {

TEST(CopyingAPicture, NamesTheProgramThatIsMissingAndGoesOn) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  unsetenv("WAYLAND_DISPLAY");
  // Pixels that do not compress, so that the PNG fills any pipe.
  Picture picture{.width = 400, .height = 400, .rgba = {}};
  for (std::uint32_t i = 0, noise = 1; i < 400 * 400 * 4; ++i) {
    noise = noise * 1664525U + 1013904223U;
    picture.rgba.push_back(static_cast<std::uint8_t>(noise >> 24));
  }
  std::string said;
  try {
    copy_picture(picture);
  } catch (const Error& error) {
    said = error.what();
  }
  setenv("PATH", path.c_str(), 1);
  EXPECT_NE(said.find("install xclip"), std::string::npos) << said;
}

}  // namespace
}  // namespace lathe
