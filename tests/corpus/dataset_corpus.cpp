#include <sys/stat.h>

#include <fstream>

#include "tests/corpus/bad_file.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

const std::string kGoodLine = "{\"text\":\"one good line\"}\n";

std::string repeated(const std::string& piece, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += piece;
  return all;
}

void write(const fs::path& file, const std::string& content) { std::ofstream(file, std::ios::binary) << content; }

BadFile txt(const std::string& name, std::string content, std::optional<ErrorCode> expected) {
  return one_file("dataset/" + name, "a.txt", std::move(content), expected);
}

BadFile jsonl(const std::string& name, std::string content, std::optional<ErrorCode> expected) {
  return one_file("dataset/" + name, "a.jsonl", std::move(content), expected);
}

BadFile parquet(const std::string& name, std::string content) {
  return one_file("dataset/" + name, "a.parquet", std::move(content), ErrorCode::WrongFormat);
}

std::vector<BadFile> plain_text() {
  return {
      txt("00_ok", "Once upon a time.\n", kOpens),
      txt("01_empty", "", ErrorCode::Dataset),
      txt("02_blank", " \r\n\t\n", ErrorCode::Dataset),
      txt("03_mark_only", "\xEF\xBB\xBF", ErrorCode::Dataset),
      txt("04_no_newline", "a", kOpens),
      txt("05_crlf", "one\r\ntwo\r\n", kOpens),
      txt("06_nul", "one\0two"s, ErrorCode::Dataset),
      txt("07_invalid_utf8", "caf\xE9", kOpens),
      txt("08_only_invalid_utf8", repeated("\x80\xFF", 1000), kOpens),
      txt("09_utf16_le", "\xFF\xFEh\0i\0"s, ErrorCode::Utf8),
      txt("10_utf16_be", "\xFE\xFF\0h\0i"s, ErrorCode::Utf8),
      txt("11_utf16_no_mark", "h\0i\0"s, ErrorCode::Dataset),
      txt("12_utf32", "\xFF\xFE\0\0h\0\0\0"s, ErrorCode::Utf8),
      txt("13_line_of_16_mb", std::string(std::size_t{16} << 20, 'x'), kOpens),
      txt("14_gzip", "\x1F\x8B\x08" + std::string(40, 'x'), ErrorCode::WrongFormat),
      txt("15_zstd", "\x28\xB5\x2F\xFD" + std::string(40, 'x'), ErrorCode::WrongFormat),
      txt("16_xz", "\xFD"s + "7zXZ" + std::string(40, 'x'), ErrorCode::WrongFormat),
      txt("17_bzip2", "BZh91AY&SY" + std::string(40, 'x'), ErrorCode::WrongFormat),
      txt("18_zip", "PK\x03\x04" + std::string(40, 'x'), ErrorCode::WrongFormat),
      txt("19_pdf", "%PDF-1.7\n", ErrorCode::WrongFormat),
      txt("20_lfs_pointer", "version https://git-lfs.github.com/spec/v1\n", ErrorCode::LfsPointer),
      txt("21_arrow", "ARROW1\0\0"s, ErrorCode::WrongFormat),
  };
}

std::vector<BadFile> json_lines() {
  const std::string bad = "{\"text\":\n";
  return {
      jsonl("30_ok", kGoodLine + kGoodLine, kOpens),
      jsonl("31_bad_first_line", bad + kGoodLine + kGoodLine, kOpens),
      jsonl("32_bad_middle_line", kGoodLine + bad + kGoodLine, kOpens),
      jsonl("33_half_written_last_line", kGoodLine + "{\"text\":\"half", kOpens),
      jsonl("34_every_line_bad", repeated(bad, 3), ErrorCode::Json),
      jsonl("35_ten_bad_of_twenty", repeated(bad, 10) + repeated(kGoodLine, 10), kOpens),
      jsonl("36_eleven_bad_of_hundred", repeated(bad, 11) + repeated(kGoodLine, 89), ErrorCode::Json),
      jsonl("37_eleven_bad_of_hundred_and_ten", repeated(bad, 11) + repeated(kGoodLine, 99), kOpens),
      jsonl("38_duplicate_keys", R"({"text":"a","text":"b"})", ErrorCode::DuplicateKey),
      jsonl("39_no_field", R"({"content":"a"})", ErrorCode::Schema),
      jsonl("40_empty_object", "{}", ErrorCode::Schema),
      jsonl("41_text_is_a_number", R"({"text":1})", ErrorCode::Schema),
      jsonl("42_text_is_null", R"({"text":null})", ErrorCode::Schema),
      jsonl("43_text_is_empty", R"({"text":""})", ErrorCode::Dataset),
      jsonl("44_array_line", R"(["a"])", ErrorCode::Schema),
      jsonl("45_string_line", R"("a")", ErrorCode::Schema),
      jsonl("46_nested_100k", R"({"text":)" + std::string(100'000, '[') + "}", ErrorCode::Limit),
      jsonl("47_line_of_65_mb", R"({"text":")" + std::string(std::size_t{65} << 20, 'x') + "\"}", ErrorCode::Limit),
      jsonl("48_byte_order_mark", "\xEF\xBB\xBF" + kGoodLine, kOpens),
      jsonl("49_mark_in_the_middle", kGoodLine + "\xEF\xBB\xBF" + kGoodLine, kOpens),
      jsonl("50_gzip", "\x1F\x8B\x08" + std::string(40, 'x'), ErrorCode::WrongFormat),
      jsonl("51_blank_lines", "\n\n" + kGoodLine + "  \r\n" + kGoodLine, kOpens),
      jsonl("52_mixed_fields", kGoodLine + R"({"messages":[{"role":"user","content":"hi"}]})", kOpens),
      jsonl("53_invalid_utf8", "{\"text\":\"\xFF\"}", ErrorCode::Utf8),
      jsonl("54_lone_surrogate", R"({"text":"\ud800"})", ErrorCode::Json),
      jsonl("55_nan", R"({"text":NaN})", ErrorCode::Json),
      jsonl("56_messages_is_text", R"({"messages":"hi"})", ErrorCode::Schema),
      jsonl("57_message_without_content", R"({"messages":[{"role":"user"}]})", ErrorCode::Schema),
      jsonl("58_message_of_parts", R"({"messages":[{"content":[{"type":"image"}]}]})", ErrorCode::Schema),
      jsonl("59_no_messages", R"({"messages":[]})", ErrorCode::Dataset),
      jsonl("60_two_objects_in_a_line", R"({"text":"a"}{"text":"b"})", ErrorCode::Json),
      jsonl("61_many_tiny_lines", repeated("{\"text\":\"a\"}\n", 20'000), kOpens),
      one_file("dataset/62_json_array", "a.json", R"([{"text":"a"}])", ErrorCode::WrongFormat),
      one_file("dataset/63_pretty_json", "a.json", "{\n\"text\": \"a\"\n}\n", ErrorCode::Json),
      jsonl("64_nul", "{\"text\":\"a\0\"}"s, ErrorCode::Dataset),
  };
}

std::vector<BadFile> other_formats() {
  return {
      parquet("70_parquet", "PAR1" + std::string(100, '\0') + "\x10\0\0\0PAR1"s),
      parquet("71_encrypted", "PARE" + std::string(100, '\0') + "\x10\0\0\0PARE"s),
      parquet("72_magic_only", "PAR1"),
      parquet("73_footer_of_2_gb", "PAR1" + std::string(100, '\0') + "\xFF\xFF\xFF\x7FPAR1"s),
      parquet("74_wrong_head", "XXXX" + std::string(100, 'x') + "PAR1"),
      parquet("75_empty", ""),
      one_file("dataset/76_parquet_named_txt", "a.txt", "PAR1" + std::string(100, '\0'), ErrorCode::WrongFormat),
  };
}

BadFile folder_of(std::string name, std::function<void(const fs::path&)> write, std::optional<ErrorCode> expected) {
  return {.name = "dataset/" + std::move(name), .write = std::move(write), .opened = "", .expected = expected};
}

std::vector<BadFile> folders() {
  return {
      folder_of(
          "80_two_texts", [](const fs::path& f) { write(f / "b.txt", "b"), write(f / "a.jsonl", kGoodLine); }, kOpens),
      folder_of(
          "81_empty", [](const fs::path&) {}, ErrorCode::Dataset),
      folder_of(
          "82_nothing_to_read", [](const fs::path& f) { write(f / "a.csv", "a,b"); }, ErrorCode::Dataset),
      folder_of(
          "83_one_is_empty", [](const fs::path& f) { write(f / "a.txt", ""), write(f / "b.txt", "b"); },
          ErrorCode::Dataset),
      folder_of(
          "84_link_out", [](const fs::path& f) { fs::create_symlink("/etc/passwd", f / "a.txt"); }, ErrorCode::Path),
      folder_of(
          "85_dangling_link", [](const fs::path& f) { fs::create_symlink("gone", f / "a.txt"); }, ErrorCode::Io),
      folder_of(
          "86_pipe", [](const fs::path& f) { ::mkfifo((f / "a.txt").c_str(), 0600); }, ErrorCode::NotRegular),
      folder_of(
          "87_folder_named_txt", [](const fs::path& f) { fs::create_directory(f / "a.txt"); }, ErrorCode::NotRegular),
      {.name = "dataset/88_gone", .write = [](const fs::path&) {}, .opened = "gone.txt", .expected = ErrorCode::Io},
  };
}

}  // namespace

std::vector<BadFile> dataset_corpus() {
  std::vector<BadFile> corpus;
  for (const auto& cases : {plain_text(), json_lines(), other_formats(), folders()}) {
    corpus.insert(corpus.end(), cases.begin(), cases.end());
  }
  return corpus;
}

}  // namespace lathe
