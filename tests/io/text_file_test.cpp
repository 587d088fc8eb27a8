#include "model/io/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/json_file.h"
#include "model/io/utf8.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::HasSubstr;

TEST(TextFile, KeepsLineEndsAndDropsTheByteOrderMark) {
  const TempFolder folder;

  const TextFile file = read_text_file(folder.write("a", "\xEF\xBB\xBFone\r\ntwo\rthrée\n\xEF\xBB\xBF"));

  EXPECT_EQ(file.text, "one\r\ntwo\rthrée\n\xEF\xBB\xBF");
  EXPECT_EQ(file.replaced_bytes, 0);
}

TEST(TextFile, ReplacesAndCountsBytesThatAreNotUtf8) {
  const TempFolder folder;

  const TextFile file = read_text_file(folder.write("a", "caf\xE9 \xF0\x9F\x98 \xF0\x9F\x98\x80"));

  EXPECT_EQ(file.text, "caf\uFFFD \uFFFD \U0001F600");
  EXPECT_EQ(file.replaced_bytes, 4);
}

TEST(TextFile, IsNamedByTheHashOfItsBytes) {
  const TempFolder folder;

  EXPECT_EQ(read_text_file(folder.write("a", "abc")).sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TextFile, RefusesWhatIsNoText) {
  const TempFolder folder;
  const auto message = [&](std::string_view content) -> std::string {
    try {
      read_text_file(folder.write("a", content));
    } catch (const Error& error) {
      return error.what();
    }
    return "it was read";
  };

  EXPECT_THAT(message(""), HasSubstr("holds no text"));
  EXPECT_THAT(message(" \r\n\t\n"), HasSubstr("holds no text"));
  EXPECT_THAT(message("\xEF\xBB\xBF"), HasSubstr("holds no text"));
  EXPECT_THAT(message(std::string_view("ab\0c", 4)), HasSubstr("NUL at byte 2"));
  EXPECT_THAT(message(std::string_view("\xFF\xFEh\0i\0", 6)), HasSubstr("UTF-16"));
  EXPECT_THROW(read_text_file(folder.path() / "missing"), Error);
  EXPECT_THROW(read_text_file(folder.path()), Error);
}

// What Python's bytes.decode("utf-8", errors="replace") gives.
TEST(Utf8, ReplacesMaximalIllFormedSequencesAsPythonDoes) {
  const auto repaired = [](std::string_view bytes) { return repair_utf8(bytes).text; };

  EXPECT_EQ(repaired("\x80"), "\uFFFD");
  EXPECT_EQ(repaired("\xC0\xAF"), "\uFFFD\uFFFD");
  EXPECT_EQ(repaired("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repaired("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repaired("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(repaired("\xE2\x82z"), "\uFFFDz");
  EXPECT_EQ(repaired("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repaired("\xF1\x80\x80\xE1\x80\xC3\xA4"), "\uFFFD\uFFFDä");
  EXPECT_EQ(repaired("\xF8\x88\x80\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(Utf8, FindsTheFirstBadByteWhereverItLies) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    text[at] = '\xFF';
    EXPECT_EQ(valid_utf8_prefix(text), at);
  }
  EXPECT_TRUE(is_utf8("aaaaaaa\u00E4\u20AC\U0001F600aaaaaaaaa"));
  EXPECT_TRUE(is_utf8(""));
}

TEST(Json, RefusesWhatTheParserWouldLetPass) {
  const auto message = [](std::string_view json) -> std::string {
    try {
      parse_json(json, "config.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "it was parsed";
  };

  EXPECT_EQ(message(R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}]})"), "it was parsed");
  EXPECT_THAT(message(R"({"a":[{"x":1,"x":2}]})"), HasSubstr("a second \"x\""));
  EXPECT_THAT(message(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(message("\xEF\xBB\xBF{}"), HasSubstr("byte order mark"));
  EXPECT_THAT(message(std::string_view("{}\0", 3)), HasSubstr("NUL at byte 2"));
  EXPECT_THAT(message("{\"\xFF\":1}"), HasSubstr("a wrong sequence at byte 2"));
  EXPECT_THAT(message("{\"a\":1,}"), HasSubstr("config.json"));
}

TEST(Json, AFileThatIsTooLargeIsNotRead) {
  const TempFolder folder;
  const auto path = folder.write("a.json", R"({"a":1})");

  EXPECT_EQ(read_json_file(path).at("a"), 1);
  EXPECT_THROW(read_json_file(path, 6), Error);
}

// FIPS 180-4 examples.
TEST(Sha256, EqualsThePublishedDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(std::string(1000, 'a'));
  EXPECT_EQ(million.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const TempFolder folder;
  const std::string content((std::size_t{16} << 20) + 5, 'x');  // more than one piece
  const auto path = folder.write("a", content);

  EXPECT_EQ(sha256_file(path), sha256_hex(content));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(sha256_file(path, Job(stop.get_token(), nullptr)), Cancelled);
}

}  // namespace
}  // namespace lathe
