#include "views/token_text.h"

#include <gtest/gtest.h>

#include "tests/support/sample_session.h"
#include "views/generate_view.h"

namespace lathe {
namespace {

TEST(TokenText, MakesWhiteSpaceVisible) {
  EXPECT_EQ(visible_token(" the"), "\u2423the");
  EXPECT_EQ(visible_token("\n\t"), "\u23ce\u21e5");
  EXPECT_EQ(visible_token(" a b", /*spaces=*/false), " a b");
}

TEST(TokenText, ShowsBytesThatAreNoText) {
  EXPECT_EQ(visible_token("\xE4"), "<0xE4>");
  EXPECT_EQ(visible_token("a\xFFz"), "a<0xFF>z");
  EXPECT_EQ(visible_token(std::string_view("\0", 1)), "<0x00>");
  EXPECT_EQ(visible_token("\xF0\x9F\x98"), "<0xF0><0x9F><0x98>");
  EXPECT_EQ(visible_token("\xC0\xAF"), "<0xC0><0xAF>");
}

TEST(TokenText, LeavesOtherScriptsAlone) { EXPECT_EQ(visible_token("木na\u00efve😀"), "木na\u00efve😀"); }

TEST(TokenText, FindsWhereTwoTextsPart) {
  const Session session = full_session();
  EXPECT_EQ(first_difference(session.writing, session.writing_original), 21U);
  EXPECT_EQ(first_difference(session.writing, session.writing), session.writing.tokens.size());
}

}  // namespace
}  // namespace lathe
