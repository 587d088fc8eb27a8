#include "model/io/mapping_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/mapped_file.h"
#include "tests/io/byte_builder.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::int64_t kRows = 1024;
constexpr std::int64_t kLength = 64;

/// A model of one f32 tensor of 256 KB, opened but not read.
class MappingGuard : public testing::Test {
 protected:
  MappingGuard() {
    folder_.write("config.json", "{}");
    path_ = folder_.write("model.safetensors",
                          safetensors_bytes(R"({"w":{"dtype":"F32","shape":[1024,64],"data_offsets":[0,262144]}})",
                                            std::string(262'144, '\x3c')));
    checkpoint_ = open_checkpoint(path_);
  }

  const TensorEntry& entry() const { return checkpoint_.at("w"); }

  void read(std::int64_t first, std::int64_t count) const {
    std::vector<float> values(static_cast<std::size_t>(count * kLength));
    read_rows(entry(), first, count, values);
  }

  template <typename Action>
  static std::string message_of(Action action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error_code_name(error.code()), "E_IO");
      return error.what();
    }
    return "no error";
  }

  TempFolder folder_;
  fs::path path_;
  Checkpoint checkpoint_;
};

TEST_F(MappingGuard, AFileThatIsCutWhileItIsReadIsAnError) {
  fs::resize_file(path_, 100'000);

  read(0, 100);  // what is still there
  EXPECT_THAT(message_of([&] { read(0, kRows); }), HasSubstr("changed while it was being read"));
  EXPECT_THAT(message_of([&] { read(0, 100); }), HasSubstr(path_.string())) << "a model with holes must not be used";
}

TEST_F(MappingGuard, ManyThreadsAllSeeTheLoss) {
  fs::resize_file(path_, 0);
  std::atomic<int> errors = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] { errors += message_of([&] { read(i * 128, 128); }) != "no error"; });
    }
  }
  EXPECT_EQ(errors, 8);
}

TEST_F(MappingGuard, OtherFilesAreStillRead) {
  const fs::path other = folder_.write("other", std::string(100'000, 'x'));
  const MappedFile file(other);
  fs::resize_file(path_, 0);
  message_of([&] { read(0, kRows); });

  check_unchanged(file.bytes());
  EXPECT_EQ(std::to_integer<char>(file.bytes().back()), 'x');
}

TEST_F(MappingGuard, AFileThatIsWrittenToInPlaceIsAnError) {
  check_unchanged(entry().bytes);
  std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary) << "";
  fs::last_write_time(path_, fs::last_write_time(path_) + std::chrono::seconds(1));

  EXPECT_THAT(message_of([&] { check_unchanged(entry().bytes); }), HasSubstr("written to"));
}

TEST_F(MappingGuard, AFileThatIsReplacedIsStillWhole) {
  fs::rename(folder_.write("new", "another"), path_);

  read(0, kRows);
  check_unchanged(entry().bytes);
}

TEST_F(MappingGuard, AFaultElsewhereStillEndsTheProgram) {
  EXPECT_EXIT(std::raise(SIGBUS), testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace lathe
