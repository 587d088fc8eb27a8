#include "app/jobs/preview.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/preview_engine.h"
#include "app/worker.h"
#include "model/data/sizes.h"
#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

ModelPreview look_at(const std::string& path, const std::string& config = {}) {
  return preview_model({.path = path, .config = config}, {});
}

std::int64_t count(const ModelPreview& preview, TensorState state) {
  return std::ranges::count(preview.tensors, state, &TensorInfo::state);
}

const TensorInfo& tensor(const ModelPreview& preview, const std::string& name) {
  return *std::ranges::find(preview.tensors, name, &TensorInfo::name);
}

/// A copy of the tiny model to damage.
class Copy {
 public:
  Copy() {
    for (const auto& entry : std::filesystem::directory_iterator(assets_folder() / "tiny")) {
      if (entry.is_regular_file()) std::filesystem::copy_file(entry.path(), folder_.path() / entry.path().filename());
    }
  }
  std::string path() const { return folder_.path().string(); }

  void change_config(const std::function<void(nlohmann::json&)>& change, const char* name = "config.json") {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(folder_.path() / "config.json"));
    change(config);
    std::ofstream(folder_.path() / name) << config;
  }

 private:
  TemporaryFolder folder_;
};

/// What the file itself says of its tensors.
nlohmann::json header_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t size = 0;
  file.read(reinterpret_cast<char*>(&size), sizeof size);
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  nlohmann::json header = nlohmann::json::parse(text);
  header.erase("__metadata__");
  return header;
}

TEST(Preview, TellsWhatTheFilesSay) {
  const ModelPreview preview = look_at("tiny");
  ASSERT_FALSE(preview.refusal) << to_text(*preview.refusal);
  const nlohmann::json header = header_of(assets_folder() / "tiny" / "model.safetensors");
  EXPECT_EQ(preview.tensors.size(), header.size());
  std::int64_t bytes = 0;
  for (const auto& [name, info] : header.items()) {
    const TensorInfo& found = tensor(preview, name);
    EXPECT_EQ(nlohmann::json(found.shape), info["shape"]);
    EXPECT_EQ(found.dtype, info["dtype"]);
    EXPECT_EQ(found.bytes, info["data_offsets"][1].get<std::int64_t>() - info["data_offsets"][0].get<std::int64_t>());
    EXPECT_EQ(found.file, "model.safetensors");
    EXPECT_EQ(found.state, TensorState::Matched);
    bytes += found.bytes;
  }
  EXPECT_EQ(preview.stored_bytes, bytes);
  EXPECT_EQ(preview.architecture, "llama");
  EXPECT_THAT(preview.tokenizer, HasSubstr("tokens"));
  ASSERT_GE(preview.memory.size(), 2U);
  EXPECT_EQ(preview.memory[0].device, "cpu");
  EXPECT_EQ(preview.memory[0].need_bytes, 4 * sizes_of(*preview.config).params);
  EXPECT_EQ(preview.memory[1].need_bytes, 2 * sizes_of(*preview.config).params);
  EXPECT_GT(preview.memory[0].free_bytes, 0);
}

TEST(Preview, NamesMissingUnexpectedAndMisshapenTensorsAndStillTellsTheRest) {
  Copy copy;
  copy.change_config([](nlohmann::json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() + 1;
    config["vocab_size"] = config["vocab_size"].get<int>() + 8;
  });
  const ModelPreview more = look_at(copy.path());
  ASSERT_TRUE(more.refusal);
  EXPECT_EQ(more.refusal->code, ErrorCode::Shard);
  EXPECT_THAT(more.refusal->where, HasSubstr(copy.path()));
  EXPECT_EQ(count(more, TensorState::Missing), 9) << "one layer of Llama";
  EXPECT_EQ(count(more, TensorState::WrongShape), more.config->tie_word_embeddings ? 1 : 2);
  EXPECT_EQ(tensor(more, "model.embed_tokens.weight").expected_shape[0], more.config->vocab_size);
  EXPECT_FALSE(more.format.empty());

  copy.change_config([](nlohmann::json& config) {
    config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 2;
    config["vocab_size"] = config["vocab_size"].get<int>() - 8;
  });
  const ModelPreview fewer = look_at(copy.path());
  EXPECT_EQ(count(fewer, TensorState::Unexpected), 9);
  EXPECT_EQ(count(fewer, TensorState::Missing), 0);
}

TEST(Preview, TakesAnotherConfigWhereItIsGivenOne) {
  Copy copy;
  copy.change_config([](nlohmann::json&) {}, "other.json");
  copy.change_config([](nlohmann::json& config) { config["model_type"] = "mamba"; });
  EXPECT_TRUE(look_at(copy.path()).refusal);
  EXPECT_FALSE(look_at(copy.path(), copy.path() + "/other.json").refusal);
}

TEST(Preview, RefusesWhatIsNotThereWithAllParts) {
  const ModelPreview preview = look_at("/no/such/model");
  ASSERT_TRUE(preview.refusal);
  EXPECT_EQ(preview.refusal->where, "/no/such/model");
  EXPECT_FALSE(preview.refusal->hint.empty());
}

TEST(Preview, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(preview_model({.path = "tiny"}, Job(stop.get_token(), {})), Cancelled);
}

TEST(Preview, ComesFromItsOwnWorkerAsAPictureAndIsNoJob) {
  Worker worker(make_preview_engine, [] {});
  worker.post({.job = 5, .what = PreviewModel{.path = "tiny"}});
  bool ended = false;
  while (!ended) {
    for (const Event& event : worker.wait_events(std::chrono::milliseconds(100))) {
      EXPECT_FALSE(std::holds_alternative<JobStarted>(event.what));
      ended = ended || (event.job == 5 && std::holds_alternative<JobEnded>(event.what));
    }
  }
  const auto pictures = worker.pictures();
  ASSERT_EQ(pictures.size(), 1U);
  const auto preview = std::get<std::shared_ptr<const ModelPreview>>(pictures[0]);
  EXPECT_EQ(preview->path, "tiny");
  EXPECT_FALSE(preview->refusal);
}

TEST(InfoTensors, ListsEveryTensorOfTheFile) {
  const ProgramResult result =
      run_program(std::string(LATHE_BINARY_DIR) + "/app/lathe info tiny --tensors --json 2>/dev/null");
  ASSERT_EQ(result.status, 0);
  const nlohmann::json info = nlohmann::json::parse(result.out);
  const nlohmann::json header = header_of(assets_folder() / "tiny" / "model.safetensors");
  ASSERT_EQ(info.at("tensors").size(), header.size());
  for (const auto& listed : info.at("tensors")) {
    EXPECT_EQ(listed.at("shape"), header.at(listed.at("name")).at("shape"));
    EXPECT_EQ(listed.at("dtype"), header.at(listed.at("name")).at("dtype"));
    EXPECT_EQ(listed.at("state"), "matched");
  }
  EXPECT_TRUE(info.at("missing").empty());
  EXPECT_TRUE(info.at("unexpected").empty());
}

}  // namespace
}  // namespace lathe
