#include "model/io/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/gguf.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;

GgufTensorSource tensor(const std::string& name, std::vector<std::int64_t> shape, std::string bytes,
                        StoredType type = DType::F32) {
  return {name, type, std::move(shape), [bytes](const auto& put) {
            const auto all = std::as_bytes(std::span(bytes));
            put(all.first(all.size() / 2));
            put(all.subspan(all.size() / 2));
          }};
}

const GgufFields kFields{{"general.architecture", std::string("test")},
                         {"u", std::uint32_t{7}},
                         {"f", 1.5F},
                         {"yes", true},
                         {"ints", std::vector<std::int32_t>{-1, 2}},
                         {"floats", std::vector<float>{0.5F}},
                         {"words", std::vector<std::string>{"one", ""}}};

class GgufWriter : public testing::Test {
 protected:
  std::string written() { return slurp(path_); }
  void expect_refused(const std::vector<GgufTensorSource>& tensors, ErrorCode code, const Job& job = {}) {
    folder_.write("a.gguf", "old");
    try {
      write_gguf(path_, kFields, tensors, job);
      ADD_FAILURE() << "it was written";
    } catch (const Error& error) {
      EXPECT_EQ(error_code_name(error.code()), error_code_name(code));
    }
    EXPECT_EQ(written(), "old");
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_.path() / "a.gguf";
};

TEST_F(GgufWriter, WritesWhatTheReaderReads) {
  const WrittenFile file =
      write_gguf(path_, kFields,
                 std::vector{tensor("a", {3, 2}, std::string(24, 'x')), tensor("b", {5}, std::string(20, 'y')),
                             tensor("q", {2, 32}, std::string(68, 'z'), QuantType::Q8_0)});
  const GgufFile read(path_);

  EXPECT_EQ(file.bytes, static_cast<std::int64_t>(written().size()));
  EXPECT_EQ(read.integer("u"), 7);
  EXPECT_EQ(read.number("f"), 1.5);
  EXPECT_EQ(read.boolean("yes"), true);
  EXPECT_THAT(*read.integers("ints"), ElementsAre(-1, 2));
  EXPECT_THAT(*read.numbers("floats"), ElementsAre(0.5));
  EXPECT_THAT(*read.strings("words"), ElementsAre("one", ""));
  ASSERT_EQ(read.tensors().size(), 3U);
  EXPECT_THAT(read.tensors()[0].shape, ElementsAre(3, 2));
  EXPECT_EQ(type_name(read.tensors()[2].type), "Q8_0");
  EXPECT_EQ(read.tensors()[1].bytes.front(), std::byte{'y'});
  EXPECT_THAT(read.warnings(), testing::IsEmpty());
}

TEST_F(GgufWriter, WritesTheSameBytesAgain) {
  const std::vector<GgufTensorSource> tensors{tensor("a", {3, 2}, std::string(24, 'x'))};
  const std::string first = write_gguf(path_, kFields, tensors).sha256;

  EXPECT_EQ(write_gguf(path_, kFields, tensors).sha256, first);
}

TEST_F(GgufWriter, RefusesWhatNoReaderTakesAndKeepsTheOldFile) {
  const std::string four(4, '\0');
  expect_refused({tensor("a", {1}, four), tensor("a", {1}, four)}, ErrorCode::Name);
  expect_refused({tensor("", {1}, four)}, ErrorCode::Name);
  expect_refused({tensor(std::string(64, 'n'), {1}, four)}, ErrorCode::Name);
  expect_refused({tensor("a", {2}, four)}, ErrorCode::Size);
  expect_refused({tensor("a", {1}, four + "more")}, ErrorCode::Size);
  expect_refused({tensor("a", {-1}, four)}, ErrorCode::Size);
  expect_refused({tensor("a", {31}, four, QuantType::Q8_0)}, ErrorCode::Size);
  expect_refused({tensor("a", {1, 1, 1, 1, 1}, four)}, ErrorCode::Size);
  expect_refused({tensor("a", {4}, four, DType::I8)}, ErrorCode::Dtype);
}

TEST_F(GgufWriter, StopsWhenAskedToAndKeepsTheOldFile) {
  folder_.write("a.gguf", "old");
  std::stop_source stop;
  stop.request_stop();

  EXPECT_THROW(write_gguf(path_, kFields, std::vector{tensor("a", {1}, std::string(4, '\0'))}, {stop.get_token(), {}}),
               Cancelled);
  EXPECT_EQ(written(), "old");
}

}  // namespace
}  // namespace lathe
