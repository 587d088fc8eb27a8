#include "views/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lathe {
namespace {

TEST(Format, CountsCarryThreeDigits) {
  EXPECT_EQ(format_count(960).view(), "960");
  EXPECT_EQ(format_count(9999).view(), "9999");
  EXPECT_EQ(format_count(49152).view(), "49.2 k");
  EXPECT_EQ(format_count(134'515'008).view(), "135 M");
  EXPECT_EQ(format_count(1'070'000'000).view(), "1.07 B");
}

TEST(Format, UnitsChangeWhereRoundingWouldShowAThousand) {
  EXPECT_EQ(format_count(999'499).view(), "999 k");
  EXPECT_EQ(format_count(999'500).view(), "1.00 M");
  EXPECT_EQ(format_bytes(999).view(), "999 B");
  EXPECT_EQ(format_bytes(46'080).view(), "46.1 kB");
}

TEST(Format, ChangesAreSigned) {
  EXPECT_EQ(format_change(100, 159).view(), "+59 %");
  EXPECT_EQ(format_change(100, 59).view(), "\u221241 %");
  EXPECT_EQ(format_change(100, 101.5).view(), "+1.5 %");
  EXPECT_EQ(format_change(5, 5).view(), "\u00b10 %");
  EXPECT_EQ(format_change(0, 5).view(), "new");
}

TEST(Format, DurationsReadAsPeopleSayThem) {
  EXPECT_EQ(format_seconds(0.42).view(), "0.4 s");
  EXPECT_EQ(format_seconds(59.4).view(), "59 s");
  EXPECT_EQ(format_seconds(245).view(), "4 min 05 s");
  EXPECT_EQ(format_seconds(7380).view(), "2 h 03 min");
  EXPECT_EQ(format_seconds(std::nan("")).view(), "\u2013");
}

TEST(Format, ValuesThatAreNotFiniteSaySo) {
  EXPECT_EQ(format_value(std::nan("")).view(), "nan");
  EXPECT_EQ(format_value(-std::numeric_limits<double>::infinity()).view(), "\u2212inf");
  EXPECT_EQ(format_value(0.0312).view(), "0.0312");
  EXPECT_EQ(format_value(1.24e-5).view(), "1.24e-05");
}

TEST(Format, LongTextIsCutNotOverrun) {
  const ShortText text = format("%s", std::string(500, 'x').c_str());
  EXPECT_EQ(text.view().size(), 95U);
}

}  // namespace
}  // namespace lathe
