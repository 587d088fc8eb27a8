#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "model/io/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

/// Tensors "a" and "b" of many pages, filled with the letter.
std::vector<TensorSource> filled_with(char letter) {
  std::vector<TensorSource> sources;
  for (const char* name : {"a", "b"}) {
    sources.push_back(
        {name, DType::U8, {50'000}, [bytes = std::string(50'000, letter)] { return std::as_bytes(std::span(bytes)); }});
  }
  return sources;
}

bool is_filled_with(const SafetensorsFile& file, char letter) {
  return std::ranges::all_of(file.tensors(), [letter](const SafetensorsTensor& tensor) {
    return std::ranges::all_of(tensor.bytes,
                               [letter](std::byte byte) { return byte == static_cast<std::byte>(letter); });
  });
}

TEST(SamePlace, AFileIsSavedOverItselfWhileItIsMapped) {
  const TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", filled_with('x'));
  const SafetensorsFile open(folder / "model.safetensors");
  std::vector<TensorSource> edited = filled_with('y');
  edited.back().bytes = [&open] { return open.tensors().back().bytes; };

  write_safetensors(folder / "model.safetensors", edited);

  const SafetensorsFile saved(folder / "model.safetensors");
  EXPECT_EQ(saved.tensors().front().bytes.front(), std::byte{'y'});
  EXPECT_TRUE(std::ranges::equal(saved.tensors().back().bytes, open.tensors().back().bytes));
  EXPECT_TRUE(is_filled_with(open, 'x')) << "the open model changed under its reader";
}

TEST(SamePlace, AnotherNameOfTheOldFileKeepsTheOld) {
  const TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", filled_with('x'));
  std::filesystem::create_hard_link(folder / "model.safetensors", folder / "backup.safetensors");

  write_safetensors(folder / "model.safetensors", filled_with('y'));

  EXPECT_TRUE(is_filled_with(SafetensorsFile(folder / "model.safetensors"), 'y'));
  EXPECT_TRUE(is_filled_with(SafetensorsFile(folder / "backup.safetensors"), 'x'));
}

}  // namespace
}  // namespace lathe
