#include "model/io/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "model/data/error.h"
#include "model/io/gguf.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A safetensors file of U8 tensors, each of one byte.
std::string shard(const std::vector<std::string>& names) {
  std::string header = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    header += (i ? ",\"" : "\"") + names[i] + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) +
              "," + std::to_string(i + 1) + "]}";
  }
  return safetensors_bytes(header + "}", std::string(names.size(), '\7'));
}

std::string index_of(const std::string& weight_map) {
  return R"({"metadata":{"total_size":2},"weight_map":)" + weight_map + "}";
}

std::string message_of(const std::filesystem::path& path) {
  try {
    open_checkpoint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "it opened";
}

/// A folder with two shards, a in the first and b in the second, and an index that says so.
class ShardedFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("config.json", R"({"model_type":"llama"})");
    folder_.write("model-00001-of-00002.safetensors", shard({"a"}));
    folder_.write("model-00002-of-00002.safetensors", shard({"b"}));
    write_index(R"({"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"})");
  }

  void write_index(const std::string& weight_map) {
    folder_.write("model.safetensors.index.json", index_of(weight_map));
  }

  std::string message() const { return message_of(folder_.path()); }

  TempFolder folder_;
};

TEST_F(ShardedFolder, OpensWithTheTensorsOfAllShards) {
  const Checkpoint checkpoint = open_checkpoint(folder_.path());

  EXPECT_EQ(checkpoint.tensors().size(), 2U);
  EXPECT_EQ(checkpoint.at("b").bytes.front(), std::byte{7});
  EXPECT_EQ(checkpoint.find("c"), nullptr);
  EXPECT_THROW(checkpoint.at("c"), Error);
  EXPECT_EQ(checkpoint.config_json().at("model_type"), "llama");
  EXPECT_EQ(checkpoint.folder(), folder_.path());
  EXPECT_EQ(checkpoint.gguf(), nullptr);
  EXPECT_EQ(checkpoint.tensor_bytes(), 2);
}

TEST_F(ShardedFolder, IsFoundFromOneOfItsShards) {
  EXPECT_EQ(open_checkpoint(folder_.path() / "model-00002-of-00002.safetensors").tensors().size(), 2U);
}

TEST_F(ShardedFolder, TensorsOutliveACopyAndAMoveOfTheCheckpoint) {
  TensorEntry entry;
  Checkpoint copy;
  {
    const Checkpoint checkpoint = open_checkpoint(folder_.path());
    entry = checkpoint.at("a");
    copy = checkpoint;
  }

  EXPECT_EQ(entry.bytes.front(), std::byte{7});
}

TEST_F(ShardedFolder, SaysWhichTensorsAreNotWhereTheIndexSays) {
  write_index(R"({"a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"})");
  EXPECT_THAT(message(), HasSubstr("1 tensors are not in the shard that the index says: got c (model-00002-of-00002"));

  write_index(R"({"a":"model-00002-of-00002.safetensors","b":"model-00001-of-00002.safetensors"})");
  EXPECT_THAT(message(), HasSubstr("2 tensors are not in the shard"));
}

TEST_F(ShardedFolder, WarnsOfATensorThatTheIndexDoesNotList) {
  folder_.write("model-00002-of-00002.safetensors", shard({"b", "extra"}));

  EXPECT_THAT(open_checkpoint(folder_.path()).warnings(), ElementsAre(HasSubstr("\"extra\" is not in the index")));
}

TEST_F(ShardedFolder, RefusesATensorInTwoShards) {
  folder_.write("model-00002-of-00002.safetensors", shard({"a", "b"}));

  EXPECT_THAT(message(), HasSubstr("is in two shards: got model-00001-of-00002.safetensors and model-00002"));
}

TEST_F(ShardedFolder, NamesAMissingShard) {
  std::filesystem::remove(folder_.path() / "model-00002-of-00002.safetensors");

  EXPECT_THAT(message(), HasSubstr("the shard model-00002-of-00002.safetensors is missing"));
}

TEST_F(ShardedFolder, NamesATruncatedShard) {
  const std::string bytes = shard({"b"});
  folder_.write("model-00002-of-00002.safetensors", bytes.substr(0, bytes.size() - 1));

  EXPECT_THAT(message(), HasSubstr("cut off"));
  EXPECT_THAT(message(), HasSubstr("model-00002-of-00002.safetensors"));
}

TEST_F(ShardedFolder, RefusesAnIndexOfAnotherForm) {
  for (const char* map :
       {"[]", "3", "null", "\"x\"", "{}", R"({"a":1})", R"({"a":["model-00001-of-00002.safetensors"]})"}) {
    SCOPED_TRACE(map);
    write_index(map);
    EXPECT_THAT(message(), HasSubstr("model.safetensors.index.json"));
  }
  folder_.write("model.safetensors.index.json", R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})");
  EXPECT_THAT(message(), HasSubstr("a second \"a\""));
  folder_.write("model.safetensors.index.json", "{");
  EXPECT_THAT(message(), HasSubstr("E_JSON"));
}

TEST_F(ShardedFolder, PrefersTheSingleFileAndWarns) {
  folder_.write("model.safetensors", shard({"single"}));

  const Checkpoint checkpoint = open_checkpoint(folder_.path());

  EXPECT_NE(checkpoint.find("single"), nullptr);
  EXPECT_THAT(checkpoint.warnings(), ElementsAre(HasSubstr("both model.safetensors and")));
}

TEST_F(ShardedFolder, ReportsProgressAndCanBeCancelled) {
  std::vector<std::int64_t> totals;
  open_checkpoint(folder_.path(), Job({}, [&](const Progress& progress) { totals.push_back(progress.total); }));
  EXPECT_THAT(totals, ElementsAre(1, 2, 2));

  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(open_checkpoint(folder_.path(), Job(stop.get_token(), nullptr)), Cancelled);
}

TEST(OpenCheckpoint, OpensASingleSafetensorsFileWithItsConfigBeside) {
  const TempFolder folder;
  folder.write("config.json", R"({"model_type":"llama"})");
  const auto path = folder.write("weights.safetensors", shard({"a"}));

  EXPECT_EQ(open_checkpoint(path).tensors().size(), 1U);
  EXPECT_EQ(open_checkpoint(folder.path()).tensors().size(), 1U);
}

TEST(OpenCheckpoint, OpensTheOneGgufBesideAConfigWithoutSafetensors) {
  const TempFolder folder;
  folder.write("config.json", R"({"model_type":"llama"})");
  folder.write("a.gguf", GgufBuilder().bytes());
  EXPECT_THAT(message_of(folder.path()), HasSubstr("this architecture is not supported: got \"\""));

  folder.write("b.gguf", GgufBuilder().bytes());
  EXPECT_THAT(message_of(folder.path()), HasSubstr("2 .gguf files"));

  folder.write("model.safetensors", shard({"a"}));
  EXPECT_EQ(open_checkpoint(folder.path()).tensors().size(), 1U);

  const TempFolder index;
  index.write("config.json", R"({"model_type":"llama"})");
  index.write("a.gguf", GgufBuilder().bytes());
  index.write("model.safetensors.index.json", index_of(R"({"a":"x.safetensors"})"));
  EXPECT_THAT(message_of(index.path()), HasSubstr("the shard x.safetensors is missing"));
}

TEST(OpenCheckpoint, SaysWhatIsMissingOrNotSupported) {
  const TempFolder folder;
  EXPECT_THAT(message_of(folder.path() / "nowhere"), HasSubstr("expected a Hugging Face folder"));
  EXPECT_THAT(message_of(folder.path()), HasSubstr("no config.json"));
  EXPECT_THAT(message_of(folder.write("a.safetensors", shard({"a"}))), HasSubstr("no config.json"));
  EXPECT_THAT(message_of(folder.write("a.txt", "hello")), HasSubstr("expected a Hugging Face folder"));
  EXPECT_THAT(message_of(folder.write("a.bin", "PK\x03\x04")), HasSubstr("no config.json"));
  EXPECT_THAT(message_of("/dev/null"), HasSubstr("expected a regular file"));

  const TempFolder torch;
  torch.write("config.json", "{}");
  torch.write("pytorch_model.bin", "PK\x03\x04");
  EXPECT_THAT(message_of(torch.path()), HasSubstr("the archive has no end: it is cut off"));

  const TempFolder two;
  two.write("config.json", "{}");
  two.write("a.safetensors", shard({"a"}));
  two.write("b.safetensors", shard({"b"}));
  EXPECT_THAT(message_of(two.path()), HasSubstr("2 .safetensors files"));

  const TempFolder ggufs;
  ggufs.write("a.gguf", "GGUF");
  ggufs.write("b.gguf", "GGUF");
  EXPECT_THAT(message_of(ggufs.path()), HasSubstr("2 .gguf files"));
}

TEST(OpenCheckpoint, RefusesABrokenConfig) {
  const TempFolder folder;
  folder.write("model.safetensors", shard({"a"}));
  for (const std::string& config :
       {std::string("[]"), std::string("null"), std::string(""), std::string("{\"a\":1,\"a\":2}"),
        std::string("\xef\xbb\xbf{}"), std::string("{}\0", 3), std::string("{\"a\":\"\xff\"}"),
        std::string(100'000, '['), std::string("{/**/}"), std::string("{\"a\":NaN}")}) {
    folder.write("config.json", config);
    EXPECT_THAT(message_of(folder.path()), HasSubstr("config.json")) << config.substr(0, 20);
  }
}

TEST(OpenCheckpoint, DoesNotWaitForAPipe) {
  const TempFolder folder;
  folder.write("config.json", "{}");
  ASSERT_EQ(::mkfifo((folder.path() / "model.safetensors").c_str(), 0600), 0);

  EXPECT_THAT(message_of(folder.path()), HasSubstr("expected a regular file"));
}

TEST(ReadRows, GivesAnyRangeOfRowsAndNothingElse) {
  TensorEntry entry{"w", DType::U8, {2, 2, 3}, {}};
  const std::string bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  entry.bytes = std::as_bytes(std::span(bytes));
  std::vector<float> rows(6);

  read_rows(entry, 1, 2, rows);

  EXPECT_THAT(rows, ElementsAre(3, 4, 5, 6, 7, 8));
  EXPECT_EQ(entry.num_rows(), 4);
  EXPECT_EQ(entry.num_values(), 12);
  EXPECT_THROW(read_rows(entry, 3, 2, rows), Error);
  EXPECT_THROW(read_rows(entry, -1, 2, rows), Error);
  EXPECT_THROW(read_rows(entry, 0, 1, rows), Error);
}

TEST(ReadRows, JoinsPartsBelowOneAnotherAndSideBySide) {
  const std::string upper = {0, 1, 2, 3};
  const std::string lower = {4, 5, 6, 7};
  TensorEntry entry{"w", DType::U8, {4, 2}, {}};
  entry.parts.bytes = {std::as_bytes(std::span(upper)), std::as_bytes(std::span(lower))};
  std::vector<float> below(6);
  read_rows(entry, 1, 3, below);
  EXPECT_THAT(below, ElementsAre(2, 3, 4, 5, 6, 7));

  entry.shape = {2, 4};
  entry.parts.side_by_side = true;
  std::vector<float> beside(8);
  read_rows(entry, 0, 2, beside);
  EXPECT_THAT(beside, ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_EQ(entry.num_bytes(), 8);
  EXPECT_FALSE(entry.is_plain(DType::U8));
}

TEST(ReadRows, BringsTogetherValuesThatLieApart) {
  // Three dimensions of a run of 24 values, turned around, every second value of the last.
  std::string bytes;
  for (char i = 0; i < 24; ++i) bytes += i;
  TensorEntry entry{"w", DType::U8, {2, 3, 2}, std::as_bytes(std::span(bytes))};
  entry.strides = {2, 4, 12};
  std::vector<float> values(12);

  read_rows(entry, 0, 6, values);
  EXPECT_THAT(values, ElementsAre(0, 12, 4, 16, 8, 20, 2, 14, 6, 18, 10, 22));

  std::vector<std::uint16_t> row(2);
  read_rows_bf16(entry, 4, 1, row);
  EXPECT_EQ(std::bit_cast<float>(std::uint32_t{row[1]} << 16), 18.0F);
  EXPECT_FALSE(entry.is_plain(DType::U8));
}

TEST(ReadRows, PutsRotaryPairsApartAndLeavesOtherRowsWhereTheyAre) {
  // Two blocks of five rows: one that stays, then re0 im0 re1 im1.
  const std::string bytes = {9, 0, 2, 1, 3, 8, 4, 6, 5, 7};
  TensorEntry entry{"w", DType::U8, {10, 1}, std::as_bytes(std::span(bytes))};
  entry.interleaved = {.block = 5, .first = 1, .count = 4};
  std::vector<float> rows(10);

  read_rows(entry, 0, 10, rows);

  EXPECT_THAT(rows, ElementsAre(9, 0, 1, 2, 3, 8, 4, 5, 6, 7));
}

TEST(ReadRows, OfTheLastRowOfAnEmptyTensorIsNothing) {
  const TensorEntry entry{"w", DType::F32, {0, 5}, {}};

  EXPECT_NO_THROW(read_rows(entry, 0, 0, {}));
}

TEST(ReadRowsBf16, EqualsTheRoundedRows) {
  TensorEntry entry{"w", DType::F32, {3, 20000}, {}};  // rows longer than the piece that is converted at once
  std::vector<float> values(60000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.37F - 1000.0F;
  entry.bytes = std::as_bytes(std::span(values));
  std::vector<std::uint16_t> rows(40000);

  read_rows_bf16(entry, 1, 2, rows);

  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float back = std::bit_cast<float>(std::uint32_t{rows[i]} << 16);
    ASSERT_NEAR(back, values[20000 + i], std::abs(values[20000 + i]) / 256.0F) << i;
  }
}

}  // namespace
}  // namespace lathe
