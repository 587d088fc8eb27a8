#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/safetensors.h"
#include "tests/corpus/bad_file.h"
#include "tests/io/byte_builder.h"
#include "tests/io/reference_python.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

constexpr int kMutants = 3000;

/// What we refuse and the safetensors package opens: duplicate keys, which its own README forbids; names, ranks and
/// types that no checkpoint of the families has; a description written as an array; sizes that multiply to more than
/// 2^64 before a zero.
const std::set<std::string> kStricter{"28_dup_tensor_same",
                                      "29_dup_tensor_diff_dtype", "29b_dup_by_escape",
                                      "31_dup_metadata_key",
                                      "56_zero_first_then_big",
                                      "57_rank_100k",
                                      "74_f4",
                                      "76_f6",
                                      "77_c64",
                                      "80_name_empty",
                                      "81_name_nul",
                                      "84_name_1MB",
                                      "A5_tensorinfo_as_array"};

/// One line a tensor, by name: name, dtype, shape, SHA-256 of its bytes; what the package's reader is asked too.
std::optional<std::string> our_reading(const std::filesystem::path& path) {
  try {
    const SafetensorsFile file(path);
    std::set<std::string> lines;
    for (const SafetensorsTensor& tensor : file.tensors()) {
      lines.insert(text(sha256_hex(tensor.name), " ", dtype_name(tensor.dtype), " ", shape_text(tensor.shape), " ",
                        sha256_hex(tensor.bytes), "\n"));
    }
    std::string all;
    for (const std::string& line : lines) all += line;
    return all;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A good file with one to three random bytes of its header or its length changed.
std::string mutant(std::string bytes, std::size_t header, std::mt19937& random) {
  constexpr std::string_view kLikely = "0123456789[]{}\",:- eE.";
  for (std::size_t edits = 1 + random() % 3; edits > 0; --edits) {
    const std::size_t at = random() % 8 == 0 ? random() % 8 : 8 + random() % header;
    bytes[at] = random() % 4 == 0 ? static_cast<char>(random() % 256) : kLikely[random() % kLikely.size()];
  }
  return bytes;
}

class SafetensorsLive : public testing::Test {
 protected:
  /// Writes the files as folder/0, folder/1 ... and reads all of them with the package. Null: it refuses.
  nlohmann::json read_all(const std::vector<std::string>& files) {
    for (std::size_t i = 0; i < files.size(); ++i) folder_.write(std::to_string(i), files[i]);
    const PythonResult result = run_reference("try-safetensors '" + folder_.path().string() + "'");
    EXPECT_TRUE(result.ok) << result.output;
    return nlohmann::json::parse(result.output, nullptr, /*allow_exceptions=*/false);
  }

  std::optional<std::string> ours(std::size_t file) { return our_reading(folder_.path() / std::to_string(file)); }

  TempFolder folder_;
};

TEST_F(SafetensorsLive, TheCorpusOpensAsInThePackageOrIsRefusedForAKnownReason) {
  LATHE_NEEDS_PYTHON("safetensors");
  std::vector<std::string> names, files;
  for (const BadFile& file : safetensors_corpus()) {
    const TempFolder one;
    file.write(one.path());
    names.push_back(file.name.substr(file.name.find('/') + 1));
    files.push_back(slurp(one.path() / file.opened));
  }

  const nlohmann::json theirs = read_all(files);

  std::set<std::string> stricter;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto reading = ours(i);
    if (reading) {
      EXPECT_EQ(theirs.at(i), *reading) << names[i];
    } else if (!theirs.at(i).is_null()) {
      stricter.insert(names[i]);
    }
  }
  EXPECT_THAT(kStricter, testing::IsSupersetOf(stricter));
}

TEST_F(SafetensorsLive, MutantsThatOpenAreReadAsThePackageReadsThem) {
  LATHE_NEEDS_PYTHON("safetensors");
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}})";
  const std::string good = safetensors_bytes(header, "abcdefghijklmnopqrstuvwxyz012345");
  std::mt19937 random(5);
  std::vector<std::string> files{good};
  while (std::ssize(files) < kMutants) files.push_back(mutant(good, header.size(), random));

  const nlohmann::json theirs = read_all(files);

  int opened = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto reading = ours(i);
    if (!reading) continue;
    ++opened;
    EXPECT_EQ(theirs.at(i), *reading) << files[i].substr(8, header.size());
  }
  EXPECT_GT(opened, kMutants / 50) << "the edits are too coarse";
  EXPECT_LT(opened, kMutants);
}

}  // namespace
}  // namespace lathe
