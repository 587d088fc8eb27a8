#include "model/io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "model/data/error.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;

GgufFile open(const TempFolder& folder, const GgufBuilder& builder) {
  return GgufFile(folder.write("a.gguf", builder.bytes()));
}

TEST(Gguf, GivesEveryTypeOfNumberAsWritten) {
  const TempFolder folder;
  GgufBuilder builder;
  builder.value("u8", 0, std::uint8_t{200}).value("i8", 1, std::int8_t{-100});
  builder.value("u16", 2, std::uint16_t{60000}).value("i16", 3, std::int16_t{-30000});
  builder.value("u32", 4, std::uint32_t{4000000000}).value("i32", 5, std::int32_t{-2000000000});
  builder.value("u64", 10, std::uint64_t{1} << 62).value("i64", 11, std::numeric_limits<std::int64_t>::min());
  builder.value("f32", 6, 1e-5F).value("f64", 12, 0.1).value("yes", 7, '\1').value("no", 7, '\0');

  const GgufFile file = open(folder, builder);

  EXPECT_EQ(file.integer("u8"), 200);
  EXPECT_EQ(file.integer("i8"), -100);
  EXPECT_EQ(file.integer("u16"), 60000);
  EXPECT_EQ(file.integer("i16"), -30000);
  EXPECT_EQ(file.integer("u32"), 4000000000);
  EXPECT_EQ(file.integer("i32"), -2000000000);
  EXPECT_EQ(file.integer("u64"), std::int64_t{1} << 62);
  EXPECT_EQ(file.integer("i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(file.number("f32"), 1e-5F);
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_EQ(file.number("i8"), -100.0);
  EXPECT_EQ(file.boolean("yes"), true);
  EXPECT_EQ(file.boolean("no"), false);
}

TEST(Gguf, GivesArraysByElementType) {
  const TempFolder folder;
  std::string strings;
  GgufBuilder::string(strings, "one");
  GgufBuilder::string(strings, "");
  std::string floats;
  append(floats, 0.5F);
  append(floats, -2.0F);
  GgufBuilder builder;
  builder.array("tokens", 8, 2, strings).array("scores", 6, 2, floats).array("types", 5, 1, std::string("\3\0\0\0", 4));

  const GgufFile file = open(folder, builder);

  EXPECT_THAT(*file.strings("tokens"), ElementsAre("one", ""));
  EXPECT_THAT(*file.numbers("scores"), ElementsAre(0.5, -2.0));
  EXPECT_THAT(*file.integers("types"), ElementsAre(3));
}

TEST(Gguf, AnAbsentKeyIsNothing) {
  const TempFolder folder;
  const GgufFile file = open(folder, GgufBuilder());

  EXPECT_EQ(file.integer("k"), std::nullopt);
  EXPECT_EQ(file.number("k"), std::nullopt);
  EXPECT_EQ(file.boolean("k"), std::nullopt);
  EXPECT_EQ(file.string("k"), std::nullopt);
  EXPECT_EQ(file.integers("k"), std::nullopt);
  EXPECT_EQ(file.numbers("k"), nullptr);
  EXPECT_EQ(file.strings("k"), nullptr);
}

TEST(Gguf, AKeyOfAnotherTypeIsAnErrorThatNamesBoth) {
  const TempFolder folder;
  GgufBuilder builder;
  builder.value("text", "llama")
      .value("flag", 7, '\1')
      .array("scores", 0, 2, "ab")
      .value("large", 10, ~std::uint64_t{0});

  const GgufFile file = open(folder, builder);

  EXPECT_THROW(file.integer("text"), Error);
  EXPECT_THROW(file.integer("flag"), Error);
  EXPECT_THROW(file.integer("large"), Error);
  EXPECT_THROW(file.number("text"), Error);
  EXPECT_THROW(file.boolean("large"), Error);
  EXPECT_THROW(file.string("flag"), Error);
  EXPECT_THROW(file.integers("flag"), Error);
  EXPECT_THROW(file.strings("scores"), Error);
  try {
    file.numbers("scores");
    FAIL() << "an array of u8 was taken for floats";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("got an array of u8, expected an array of floats"),
              std::string::npos);
  }
}

TEST(Gguf, ReversesTheFilesOrderOfDimensions) {
  const TempFolder folder;
  const GgufFile file = open(folder, GgufBuilder().tensor("w", {4, 2}, 0, std::string(32, '\1')));

  EXPECT_THAT(file.tensors().front().shape, ElementsAre(2, 4));
  EXPECT_EQ(file.tensors().front().bytes.size(), 32U);
}

TEST(Gguf, WarnsOfBytesAfterTheLastTensor) {
  const TempFolder folder;
  const GgufFile file(folder.write("a.gguf", GgufBuilder().tensor("w", {8}, 0, std::string(32, '\1')).bytes() + "xyz"));

  EXPECT_THAT(file.warnings(), ElementsAre(testing::HasSubstr("3 bytes")));
}

}  // namespace
}  // namespace lathe
