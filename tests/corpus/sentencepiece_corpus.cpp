#include <cstring>
#include <limits>

#include "tests/corpus/bad_file.h"
#include "tests/corpus/tiny_model.h"

namespace lathe {

namespace {

using Expected = std::optional<ErrorCode>;

constexpr auto kBad = ErrorCode::Tokenizer;
constexpr auto kCut = ErrorCode::Truncated;
constexpr Expected kOpens = std::nullopt;

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(static_cast<unsigned char>(value | 0x80));
  return bytes + static_cast<char>(static_cast<unsigned char>(value));
}

std::string tag(int field, unsigned wire) { return varint(static_cast<std::uint64_t>(field) << 3 | wire); }
std::string number(int field, std::int64_t value) { return tag(field, 0) + varint(static_cast<std::uint64_t>(value)); }
std::string bytes(int field, const std::string& value) { return tag(field, 2) + varint(value.size()) + value; }

std::string piece(const std::string& text, float score = 0, int kind = 1) {
  std::string raw(sizeof score, '\0');
  std::memcpy(raw.data(), &score, sizeof score);
  return bytes(1, bytes(1, text) + tag(2, 5) + raw + number(3, kind));
}

constexpr int kUnknown = 2, kControl = 3, kByte = 6;

/// The pieces of a small model that is right.
std::string pieces() {
  std::string all = piece("<unk>", 0, kUnknown) + piece("<s>", 0, kControl) + piece("</s>", 0, kControl);
  for (const char* text : {"▁", "a", "b", "c"}) all += piece(text, -10);
  return all + piece("ab", -1) + piece("▁a", -2);
}

std::string trainer(const std::string& more = "") { return bytes(2, number(3, 2) + more); }  // 2: BPE
std::string normalizer(const std::string& charsmap = "") {
  return bytes(3, bytes(1, "identity") + (charsmap.empty() ? "" : bytes(2, charsmap)) + number(4, 0));
}
std::string good() { return pieces() + trainer() + normalizer(); }
std::string with_piece(const std::string& one) { return pieces() + one + trainer() + normalizer(); }

std::string little_endian(std::uint32_t value) {
  std::string raw(sizeof value, '\0');
  std::memcpy(raw.data(), &value, sizeof value);
  return raw;
}

BadFile model(const std::string& name, const std::string& content, Expected expected) {
  const auto write = [content](const std::filesystem::path& folder) {
    put_tiny_model(folder);
    put_file(folder, "tokenizer.model", content);
  };
  return {.name = "sentencepiece/" + name, .write = write, .opened = "", .expected = expected};
}

/// Made only when it is written: every test program lists the whole corpus.
BadFile five_million_pieces() {
  const auto write = [](const std::filesystem::path& folder) {
    put_tiny_model(folder);
    std::string many = pieces();
    for (int i = 0; i < 5'000'000; ++i) many += bytes(1, bytes(1, "x"));
    put_file(folder, "tokenizer.model", many);
  };
  return {.name = "sentencepiece/21_five_million_pieces", .write = write, .opened = "", .expected = ErrorCode::Limit};
}

std::vector<BadFile> of_the_message() {
  const std::string cut_piece = piece("abc", -3).substr(0, 5);
  return {model("01_empty", "", kCut),
          model("02_cut_in_a_tag", good() + "\x80", kCut),
          model("03_cut_in_a_length", good() + tag(1, 2) + "\x80", kCut),
          model("04_cut_in_a_piece", pieces() + cut_piece, kCut),
          model("05_cut_in_a_score", pieces() + bytes(1, bytes(1, "x") + tag(2, 5) + "ab"), kCut),
          model("06_cut_before_the_trainer", pieces(), kBad),
          model("07_number_of_11_bytes", good() + std::string(10, '\xFF') + "\x01", kBad),
          model("08_length_u64_max", good() + tag(1, 2) + varint(std::numeric_limits<std::uint64_t>::max()), kCut),
          model("09_wire_type_3", good() + tag(9, 3), kBad),
          model("10_wire_type_4", good() + tag(9, 4), kBad),
          model("11_wire_type_6", good() + tag(9, 6), kBad),
          model("12_wire_type_7", good() + tag(9, 7), kBad),
          model("13_groups_10000_deep", good() + std::string(10'000, '\x4B'), kBad),
          model("14_field_0", good() + std::string(1, '\0') + "\x01", kBad),
          model("15_score_of_8_bytes", pieces() + bytes(1, tag(2, 1) + "12345678") + trainer(), kBad),
          model("16_trailing_bytes", good() + std::string(100, '\0'), kBad),
          model("17_git_lfs_pointer", "version https://git-lfs.github.com/spec/v1\n", ErrorCode::LfsPointer),
          model("18_web_page", "<!DOCTYPE html><html></html>", ErrorCode::Html),
          model("19_something_else", "{\"model\": 1}", ErrorCode::WrongFormat)};
}

std::vector<BadFile> of_the_pieces() {
  const std::string nul("a\0b", 3), bytes_without_256 = piece("<0x00>", 0, kByte);
  return {model("20_no_pieces", trainer() + normalizer(), ErrorCode::WrongFormat),
          five_million_pieces(),
          model("22_piece_of_100_kb", with_piece(piece(std::string(100'000, 'x'))), ErrorCode::Limit),
          model("23_empty_piece", with_piece(piece("")), kBad),
          model("24_piece_with_nul", with_piece(piece(nul, -4)), kOpens),
          model("25_piece_twice", with_piece(piece("ab", -4)), ErrorCode::DuplicateKey),
          model("26_piece_not_utf8", with_piece(piece("\xFF\xFE", -4)), ErrorCode::Utf8),
          model("27_score_nan", with_piece(piece("x", std::numeric_limits<float>::quiet_NaN())), kBad),
          model("28_score_infinite", with_piece(piece("x", std::numeric_limits<float>::infinity())), kBad),
          model("29_type_99", with_piece(piece("x", -4, 99)), kBad),
          model("30_two_unknown", with_piece(piece("<x>", 0, kUnknown)), kBad),
          model("31_no_unknown", piece("a") + trainer() + normalizer(), kBad),
          model("32_one_byte_of_256", pieces() + bytes_without_256 + trainer(number(35, 1)) + normalizer(), kBad),
          model("33_byte_that_is_none", with_piece(piece("<0x-1>", 0, kByte)), kBad)};
}

std::vector<BadFile> of_the_rules() {
  const std::string wild = little_endian(4) + little_endian(0xFFFFFFFF) + std::string("a\0", 2);
  return {model("40_unigram", pieces() + bytes(2, number(3, 1)) + normalizer(), kBad),
          model("41_unknown_type", pieces() + bytes(2, number(3, 9)) + normalizer(), kBad),
          model("42_bos_id_outside", pieces() + trainer(number(41, 99'999)) + normalizer(), kBad),
          model("43_unk_id_negative", pieces() + trainer(number(40, -2)) + normalizer(), kBad),
          model("44_whitespace_as_suffix", pieces() + trainer(number(24, 1)) + normalizer(), kBad),
          model("45_charsmap_cut", pieces() + trainer() + normalizer("ab"), kBad),
          model("46_charsmap_longer_than_itself", pieces() + trainer() + normalizer(little_endian(1000) + "ab"), kBad),
          model("47_charsmap_with_wild_offsets", pieces() + trainer() + normalizer(wild), kOpens),
          model("48_charsmap_empty", pieces() + trainer() + normalizer(""), kOpens),
          model("49_tiktoken_line_broken", "YQ== 0\nYg== 1\nYg= 2\n", kBad),
          model("50_tiktoken_rank_skipped", "YQ== 0\nYg== 2\n", kBad),
          model("51_good", good(), kOpens)};
}

}  // namespace

std::vector<BadFile> sentencepiece_corpus() {
  std::vector<BadFile> all;
  for (auto part : {of_the_message, of_the_pieces, of_the_rules}) {
    for (BadFile& file : part()) all.push_back(std::move(file));
  }
  return all;
}

}  // namespace lathe
