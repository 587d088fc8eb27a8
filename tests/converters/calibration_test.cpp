#include "converters/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "model/data/error.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

std::vector<std::int32_t> numbered(std::size_t count) {
  std::vector<std::int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::vector<std::int64_t> values(const at::Tensor& ids_BT) {
  return {ids_BT.data_ptr<std::int64_t>(), ids_BT.data_ptr<std::int64_t>() + ids_BT.numel()};
}

std::string refusal(std::size_t tokens, const Calibration& calibration) {
  try {
    calibration_windows(numbered(tokens), calibration);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(CalibrationWindows, MeasureOnTheLastTenthAndCalibrateOnTheRest) {
  const CalibrationWindows windows = calibration_windows(numbered(300), {.text = "", .num_samples = 3, .seq_len = 10});

  for (const std::int64_t id : values(windows.calibration_ids_BT)) EXPECT_LT(id, 270);
  for (const std::int64_t id : values(windows.held_out_ids_BT)) EXPECT_GE(id, 270);
  EXPECT_EQ(windows.held_out_ids_BT.size(0), 3);
}

TEST(CalibrationWindows, AreWholeStretchesThatDoNotOverlapAndReachBothEnds) {
  const CalibrationWindows windows = calibration_windows(numbered(100), {.text = "", .num_samples = 4, .seq_len = 7});

  const std::vector<std::int64_t> ids = values(windows.calibration_ids_BT);
  EXPECT_EQ(windows.calibration_ids_BT.sizes(), (std::vector<std::int64_t>{4, 7}));
  EXPECT_EQ(std::set<std::int64_t>(ids.begin(), ids.end()).size(), 28);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    if (i % 7 != 0) {
      EXPECT_EQ(ids[i], ids[i - 1] + 1);
    }
  }
  EXPECT_EQ(ids.front(), 0);
  EXPECT_EQ(ids.back(), 89);
}

TEST(CalibrationWindows, HoldOutFewerWindowsOfAShortText) {
  const CalibrationWindows windows = calibration_windows(numbered(30), {.text = "", .num_samples = 2, .seq_len = 10});

  EXPECT_EQ(values(windows.calibration_ids_BT).back(), 19);
  EXPECT_EQ(values(windows.held_out_ids_BT).front(), 20);
  EXPECT_EQ(windows.held_out_ids_BT.size(0), 1);
}

TEST(CalibrationWindows, RefuseATextThatIsTooShort) {
  EXPECT_THAT(refusal(29, {.text = "", .num_samples = 2, .seq_len = 10}), HasSubstr("19 tokens to calibrate on"));
  EXPECT_THAT(refusal(12, {.text = "", .num_samples = 1, .seq_len = 10}), HasSubstr("the text has 12 tokens"));
}

TEST(CalibrationWindows, RefuseImpossibleSettings) {
  EXPECT_THAT(refusal(99, {.text = "", .num_samples = 0, .seq_len = 10}), HasSubstr("num_samples 0"));
  EXPECT_THAT(refusal(99, {.text = "", .num_samples = INT64_MAX / 2, .seq_len = 10}), HasSubstr("num_samples"));
}

}  // namespace
}  // namespace lathe
