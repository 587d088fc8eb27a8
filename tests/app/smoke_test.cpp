// The real program in a real window of a display without a screen, looked at through its screenshot.
#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>
#include <vector>

#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using Rgb = std::array<int, 3>;

/// The dark palette's, as they are written in views/theme.cpp.
constexpr Rgb kPanel{0x15, 0x18, 0x1E};
constexpr Rgb kMla{0x35, 0xB5, 0x97};
constexpr Rgb kMoe{0xE5, 0xA0, 0x2F};
constexpr Rgb kLoss{0x5B, 0x9B, 0xF8};

/// How far the panel's colour moves towards the kind's in a converted layer's cell, and in the bar of its share.
constexpr double kFill = 0.16;
constexpr double kBar = kFill + (1.0 - kFill) * 0.42;

struct Image {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;

  Rgb at(std::uint32_t x, std::uint32_t y) const {
    const std::size_t i = 3 * (std::size_t{y} * width + x);
    return {rgb[i], rgb[i + 1], rgb[i + 2]};
  }
};

Image read_png(const std::string& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  Image image;
  if (png_image_begin_read_from_file(&png, path.c_str()) == 0) return image;
  png.format = PNG_FORMAT_RGB;
  image.width = png.width;
  image.height = png.height;
  image.rgb.resize(PNG_IMAGE_SIZE(png));
  if (png_image_finish_read(&png, nullptr, image.rgb.data(), 0, nullptr) == 0) return {};
  return image;
}

Rgb panel_towards(const Rgb& kind, double share) {
  Rgb mixed{};
  for (std::size_t c = 0; c < 3; ++c) mixed[c] = static_cast<int>(kPanel[c] + (kind[c] - kPanel[c]) * share + 0.5);
  return mixed;
}

bool is_near(const Rgb& a, const Rgb& b, int most) {
  for (std::size_t c = 0; c < 3; ++c)
    if (std::abs(a[c] - b[c]) > most) return false;
  return true;
}

/// A part of the window, in shares of its width and height.
struct Part {
  double from, to, top, bottom;
};

template <typename Visit>
void visit(const Image& image, const Part& part, Visit each) {
  const auto scaled = [](double share, std::uint32_t size) { return static_cast<std::uint32_t>(share * size); };
  for (auto y = scaled(part.top, image.height); y < scaled(part.bottom, image.height); ++y)
    for (auto x = scaled(part.from, image.width); x < scaled(part.to, image.width); ++x) each(x, image.at(x, y));
}

int cell_pixels(const Image& image, const Part& part, const Rgb& kind) {
  const Rgb fill = panel_towards(kind, kFill);
  const Rgb bar = panel_towards(kind, kBar);
  int count = 0;
  visit(image, part,
        [&](std::uint32_t, const Rgb& pixel) { count += is_near(pixel, fill, 3) || is_near(pixel, bar, 3) ? 1 : 0; });
  return count;
}

/// Over how many columns the colour is spread: a curve crosses its plot, a button or a legend's mark does not.
std::size_t columns_of(const Image& image, const Part& part, const Rgb& color) {
  std::set<std::uint32_t> columns;
  visit(image, part, [&](std::uint32_t x, const Rgb& pixel) {
    if (is_near(pixel, color, 40)) columns.insert(x);
  });
  return columns.size();
}

std::string under_xvfb(const std::string& command) {
  return "OMP_NUM_THREADS=1 xvfb-run -a -s '-screen 0 2800x1800x24' " + command + " 2>&1";
}

/// The very pictures that README shows, of the small model and a short run.
TEST(TheProgram, ShowsConvertedLayersAndTheirLossInItsWindow) {
  if (run_program("command -v xvfb-run").status != 0) GTEST_SKIP() << "xvfb-run is not installed";
  const TemporaryFolder folder;
  const ProgramResult result = run_program(under_xvfb(
      "env LATHE_SHOT_MODEL=tiny LATHE_SHOT_RECIPE=tiny-demo LATHE_SHOT_STEPS=10 LATHE_SHOT_OUT=" + (folder / "shots") +
      " LATHE_PROGRAM='" LATHE_BINARY_DIR "/app/lathe' '" LATHE_SOURCE_DIR "/assets/screenshots/make.sh'"));
  ASSERT_EQ(result.status, 0) << result.out;
  EXPECT_NE(result.out.find("On screen "), std::string::npos) << result.out;
  for (const char* name : {"design.png", "generate.png", "inspect.png"}) {
    EXPECT_EQ(read_png(folder / ("shots/" + std::string(name))).width, 1280U) << name;
  }
  const Image image = read_png(folder / "shots/train.png");
  ASSERT_EQ(image.width, 1280U);
  ASSERT_EQ(image.height, 800U);

  constexpr Part kBoard{0.0, 0.33, 0.1, 0.9};
  EXPECT_GT(cell_pixels(image, kBoard, kMla), 1000);
  EXPECT_GT(cell_pixels(image, kBoard, kMoe), 1000);
  constexpr Part kPlot{0.25, 0.74, 0.19, 0.40};
  EXPECT_GT(columns_of(image, kPlot, kLoss), 200U);  // 6 of 10 steps are done at least: 5/9 of some 500 columns
}

TEST(TheProgram, GoesOnWhereItsSettingsCannotBeKept) {
  if (run_program("command -v xvfb-run").status != 0) GTEST_SKIP() << "xvfb-run is not installed";
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  std::ofstream(folder / "open.script") << "open tiny\nwait\naction view.theme\n";
  const ProgramResult result = run_program(under_xvfb("env XDG_CONFIG_HOME=" + (folder / "file") +
                                                      " '" LATHE_BINARY_DIR "/app/lathe' --threads 1 open --script " +
                                                      (folder / "open.script")));
  EXPECT_EQ(result.status, 0) << result.out;
}

}  // namespace
}  // namespace lathe
