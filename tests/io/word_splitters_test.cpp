#include "model/io/word_splitters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe {
namespace {

using Pieces = std::vector<std::string_view>;
using testing::ElementsAre;

Pieces gpt2(std::string_view text) {
  Pieces pieces;
  split_gpt2_words(text, pieces);
  return pieces;
}

Pieces llama3(std::string_view text) {
  Pieces pieces;
  split_llama3_words(text, /*max_digits=*/3, pieces);
  return pieces;
}

// The pieces expected here are those of the `tokenizers` package with each pattern.

TEST(Gpt2Words, TakeOneSpaceWithThem) {
  EXPECT_THAT(gpt2("a b  c   d"), ElementsAre("a", " b", " ", " c", "  ", " d"));
  EXPECT_THAT(gpt2(" 12 !? \n x"), ElementsAre(" 12", " !?", " \n", " x"));
  EXPECT_THAT(gpt2("a\nb \n"), ElementsAre("a", "\n", "b", " \n"));
}

TEST(Gpt2Words, KnowContractionsInLowerCaseOnly) {
  EXPECT_THAT(gpt2("it's IT'S we'll x'y'"),
              ElementsAre("it", "'s", " IT", "'", "S", " we", "'ll", " x", "'", "y", "'"));
}

TEST(Llama3Words, TakeAnyOneCharacterBeforeLetters) {
  EXPECT_THAT(llama3("(a\tb !c\nd"), ElementsAre("(a", "\tb", " !", "c", "\n", "d"));
  EXPECT_THAT(llama3("a  b \u3000c"), ElementsAre("a", " ", " b", " ", "\u3000c"));
}

TEST(Llama3Words, HaveUpToThreeDigitsAndNoSpaceBeforeThem) {
  EXPECT_THAT(llama3("x 1234567"), ElementsAre("x", " ", "123", "456", "7"));
}

TEST(Llama3Words, EndSymbolsAndSpacesWithTheirNewlines) {
  EXPECT_THAT(llama3("a; \n\n  b.\r\n\r\nc"), ElementsAre("a", ";", " \n\n", " ", " b", ".\r\n\r\n", "c"));
}

TEST(Llama3Words, KnowContractionsInAnyCaseAndTheLongS) {
  EXPECT_THAT(llama3("it'sa IT'SA it'\u017fa x'LLy"),
              ElementsAre("it", "'s", "a", " IT", "'S", "A", " it", "'\u017f", "a", " x", "'LL", "y"));
  EXPECT_THAT(llama3("'x' 'rx"), ElementsAre("'x", "'", " '", "rx"));
}

TEST(Llama3Words, OfNothingAreNone) { EXPECT_TRUE(llama3("").empty()); }

}  // namespace
}  // namespace lathe
