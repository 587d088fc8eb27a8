#include "model/io/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/data/error.h"
#include "model/io/checkpoint.h"
#include "model/io/folder_swap.h"
#include "model/io/json_file.h"
#include "tests/io/temp_folder.h"

namespace lathe {
namespace {

using testing::AllOf;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// A model whose config and every byte of whose tensors say which version it is.
ModelFolder model(int version, std::size_t tensor_bytes = 1000) {
  ModelFolder content;
  content.files = {{"config.json", R"({"version":)" + std::to_string(version) + "}"}, {"plan.json", "{}"}};
  content.max_shard_bytes = static_cast<std::int64_t>(2 * tensor_bytes);
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    const std::string bytes(tensor_bytes, static_cast<char>(version));
    content.tensors.push_back({name, DType::U8, {static_cast<std::int64_t>(tensor_bytes)}, [bytes] {
                                 return std::as_bytes(std::span(bytes));
                               }});
  }
  return content;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

/// The version of the model in the folder, after checking that all of it is of that version.
int whole_version(const std::filesystem::path& folder) {
  const Checkpoint checkpoint = open_checkpoint(folder);
  EXPECT_THAT(verify_model_folder(folder), IsEmpty());
  const int version = checkpoint.config_json().at("version");
  EXPECT_EQ(checkpoint.tensors().size(), 5U);
  for (const auto& [name, entry] : checkpoint.tensors()) {
    const bool same = std::all_of(entry.bytes.begin(), entry.bytes.end(),
                                  [&](std::byte b) { return b == static_cast<std::byte>(version); });
    EXPECT_TRUE(same) << name << " is not of version " << version;
  }
  return version;
}

class SavedFolder : public testing::Test {
 protected:
  std::string message(const ModelFolder& content) {
    try {
      save_model_folder(folder_, content);
    } catch (const Error& error) {
      return error.what();
    }
    return "it was saved";
  }

  TempFolder temp_;
  std::filesystem::path folder_ = temp_.path() / "model";
};

TEST_F(SavedFolder, IsShardedWithIndexAndManifestAndOpensAgain) {
  const std::vector<WrittenFile> written = save_model_folder(folder_, model(1));

  EXPECT_THAT(names_in(folder_),
              UnorderedElementsAre("config.json", "plan.json", "model-00001-of-00003.safetensors",
                                   "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors",
                                   "model.safetensors.index.json", "manifest.json"));
  EXPECT_EQ(written.size(), 7U);
  EXPECT_EQ(whole_version(folder_), 1);
  EXPECT_THAT(names_in(temp_.path()), UnorderedElementsAre("model"));
  const nlohmann::json index = read_json_file(folder_ / "model.safetensors.index.json");
  EXPECT_EQ(index.at("metadata").at("total_size"), 5000);
  EXPECT_EQ(index.at("weight_map").at("e"), "model-00003-of-00003.safetensors");
}

TEST_F(SavedFolder, OfOneShardHasNoIndex) {
  ModelFolder content = model(1);
  content.max_shard_bytes = 1'000'000;

  save_model_folder(folder_ / "", content);

  EXPECT_THAT(names_in(folder_),
              UnorderedElementsAre("config.json", "plan.json", "model.safetensors", "manifest.json"));
}

TEST_F(SavedFolder, PutsATensorLargerThanAShardInOneOfItsOwn) {
  ModelFolder content = model(1);
  content.max_shard_bytes = 10;

  save_model_folder(folder_, content);

  EXPECT_EQ(whole_version(folder_), 1);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "model-00005-of-00005.safetensors"));
}

TEST_F(SavedFolder, ReplacesAnOlderOneWhole) {
  save_model_folder(folder_, model(1));
  const Checkpoint still_open = open_checkpoint(folder_);

  save_model_folder(folder_, model(2));

  EXPECT_EQ(whole_version(folder_), 2);
  EXPECT_EQ(still_open.at("a").bytes.front(), std::byte{1}) << "an open model changed under its reader";
  EXPECT_THAT(names_in(temp_.path()), UnorderedElementsAre("model"));
}

TEST_F(SavedFolder, CanBeMadeFromTheFolderThatItReplaces) {
  save_model_folder(folder_, model(1));
  const Checkpoint source = open_checkpoint(folder_);
  ModelFolder content = model(1);
  for (TensorSource& tensor : content.tensors) tensor.bytes = [&] { return source.at(tensor.name).bytes; };

  save_model_folder(folder_, content);

  EXPECT_EQ(whole_version(folder_), 1);
}

TEST_F(SavedFolder, NeverTakesFilesOfOthersWithIt) {
  save_model_folder(folder_, model(1));
  temp_.write("model/notes.txt", "mine");
  EXPECT_THAT(message(model(2)), HasSubstr("would delete files that Lathe did not save: got notes.txt"));
  EXPECT_EQ(slurp(folder_ / "notes.txt"), "mine");

  temp_.write("other/config.json", "{}");
  folder_ = temp_.path() / "other";
  EXPECT_THAT(message(model(2)), HasSubstr("was not saved by Lathe"));

  folder_ = temp_.write("file", "x");
  EXPECT_THAT(message(model(2)), HasSubstr("a file is in the way"));
}

TEST_F(SavedFolder, MayBeAnEmptyFolderOrALinkToOne) {
  std::filesystem::create_directory(folder_);
  std::filesystem::create_directory_symlink(folder_, temp_.path() / "link");

  save_model_folder(temp_.path() / "link", model(3));

  EXPECT_EQ(whole_version(folder_), 3);
  EXPECT_TRUE(std::filesystem::is_symlink(temp_.path() / "link"));
}

TEST_F(SavedFolder, RefusesContentThatIsNotAModel) {
  const auto with = [](auto change) {
    ModelFolder content = model(1);
    change(content);
    return content;
  };

  EXPECT_THAT(message(with([](ModelFolder& m) { m.files.erase(m.files.begin()); })), HasSubstr("needs a config.json"));
  EXPECT_THAT(message(with([](ModelFolder& m) { m.tensors.clear(); })), HasSubstr("needs tensors"));
  EXPECT_THAT(message(with([](ModelFolder& m) { m.files.push_back({"../x", ""}); })), HasSubstr("cannot name a file"));
  EXPECT_THAT(message(with([](ModelFolder& m) {
                m.files.push_back({"manifest.json", ""});
              })),
              HasSubstr("two files have one name"));
  EXPECT_THAT(message(with([](ModelFolder& m) { m.tensors[4].name = "a"; })),
              HasSubstr("two tensors have one name: got \"a\""));
  EXPECT_THAT(message(with([](ModelFolder& m) { m.tensors[4].shape = {std::int64_t{1} << 60}; })),
              HasSubstr("MiB free"));
  EXPECT_THAT(names_in(temp_.path()), IsEmpty()) << "a refused save left something behind";
}

TEST_F(SavedFolder, SurvivesACancelAndAFailureOfTheNextSave) {
  save_model_folder(folder_, model(1));
  std::stop_source stop;
  const Job job(stop.get_token(), [&](const Progress& progress) {
    EXPECT_EQ(progress.total, 5000);
    if (progress.done >= 3000) stop.request_stop();
  });
  EXPECT_THROW(save_model_folder(folder_, model(2), job), Cancelled);

  ModelFolder broken = model(2);
  broken.tensors.back().bytes = []() -> std::span<const std::byte> { throw Error("out of data"); };
  EXPECT_THAT(message(broken), HasSubstr("out of data"));

  EXPECT_EQ(whole_version(folder_), 1);
  EXPECT_THAT(names_in(temp_.path()), UnorderedElementsAre("model"));
}

TEST_F(SavedFolder, VerifyNamesWhatChanged) {
  save_model_folder(folder_, model(1));
  std::filesystem::remove(folder_ / "plan.json");
  temp_.write("model/config.json", R"({"version":2})");
  std::string shard = slurp(folder_ / "model-00002-of-00003.safetensors");
  temp_.write("model/model-00001-of-00003.safetensors", shard + "x");
  shard.back() ^= 1;
  temp_.write("model/model-00002-of-00003.safetensors", shard);

  const auto problem = [this](ErrorCode code, const char* file) {
    return AllOf(Field(&ErrorParts::code, code), Field(&ErrorParts::where, (folder_ / file).string()));
  };
  EXPECT_THAT(verify_model_folder(folder_),
              UnorderedElementsAre(problem(ErrorCode::Io, "plan.json"), problem(ErrorCode::Checksum, "config.json"),
                                   problem(ErrorCode::Size, "model-00001-of-00003.safetensors"),
                                   problem(ErrorCode::Checksum, "model-00002-of-00003.safetensors")));
  temp_.write("model/manifest.json", R"({"version":1,"files":[{"name":"../x","bytes":1,"sha256":""}]})");
  EXPECT_THROW(verify_model_folder(folder_), Error);
  temp_.write("model/manifest.json", R"({"version":1,"files":[{"bytes":"?"}]})");
  EXPECT_THROW(verify_model_folder(folder_), Error);
}

TEST_F(SavedFolder, ComesBackIfTheReplacingOneNeverCame) {
  save_model_folder(folder_, model(1));
  std::filesystem::rename(folder_, temp_.path() / ".model.lathe-replaced");
  temp_.write(".model.lathe-saving-1-0/config.json", "{");

  EXPECT_EQ(whole_version(folder_), 1);
  EXPECT_THAT(names_in(temp_.path()), UnorderedElementsAre("model"));
}

TEST_F(SavedFolder, LeavesASaveThatIsStillRunningAlone) {
  const FolderSwap running(folder_);

  recover_model_folder(folder_);

  EXPECT_TRUE(std::filesystem::exists(running.working()));
}

}  // namespace
}  // namespace lathe
