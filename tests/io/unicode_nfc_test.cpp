#include "model/io/unicode_nfc.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(Nfc, ComposesLettersWithTheirMarks) { EXPECT_EQ(to_nfc("e\u0301 A\u030a o\u0302\u0323"), "\u00e9 \u00c5 \u1ed9"); }

TEST(Nfc, PutsMarksInTheOrderOfTheirClasses) { EXPECT_EQ(to_nfc("q\u0307\u0323"), "q\u0323\u0307"); }

TEST(Nfc, DoesNotComposeOverAMarkOfTheSameClass) { EXPECT_EQ(to_nfc("a\u0305\u0301"), "a\u0305\u0301"); }

TEST(Nfc, ComposesHangulByArithmetic) {
  EXPECT_EQ(to_nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(to_nfc("\ud558\u11ab"), "\ud55c");
  EXPECT_EQ(to_nfc("\ud55c\u11ab"), "\ud55c\u11ab");
}

TEST(Nfc, ReplacesSingletonsAndLeavesExclusionsApart) {
  EXPECT_EQ(to_nfc("\u212b \u2126 \uf900"), "\u00c5 \u03a9 \u8c48");
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093c");
}

TEST(Nfc, LeavesPlainTextAsItIs) {
  EXPECT_EQ(to_nfc(""), "");
  EXPECT_EQ(to_nfc("plain \u00e9"), "plain \u00e9");
  EXPECT_EQ(to_nfc("\u0301"), "\u0301");
}

}  // namespace
}  // namespace lathe
