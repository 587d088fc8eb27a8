#include "tests/faults/save_kinds.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/data/error.h"
#include "model/data/plan.h"
#include "model/io/atomic_file.h"
#include "model/io/checkpoint.h"
#include "model/io/gguf_writer.h"
#include "model/io/json_file.h"
#include "model/io/model_folder.h"
#include "tests/faults/system_calls.h"

namespace lathe {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTensorBytes = 300;

/// Tensors every byte of which says the version.
std::vector<TensorSource> tensors(int version, int count) {
  std::vector<TensorSource> sources;
  for (int i = 0; i < count; ++i) {
    sources.push_back(
        {"t" + std::to_string(i),
         DType::U8,
         {kTensorBytes},
         [bytes = std::string(kTensorBytes, static_cast<char>(version))] { return std::as_bytes(std::span(bytes)); }});
  }
  return sources;
}

std::string config_text(int version) { return nlohmann::json{{"version", version}}.dump(); }

ModelFolder model(int version) {
  return {.tensors = tensors(version, 5),
          .files = {{"config.json", config_text(version)}, {"plan.json", "{}"}},
          .max_shard_bytes = 2 * kTensorBytes};
}

int whole_version(const Checkpoint& checkpoint, int version) {
  for (const auto& [name, entry] : checkpoint.tensors()) {
    const bool same =
        std::ranges::all_of(entry.bytes, [&](std::byte byte) { return byte == static_cast<std::byte>(version); });
    check(same, name, " is not of version ", version);
  }
  return version;
}

int open_folder(const fs::path& place) {
  const Checkpoint checkpoint = open_checkpoint(place);
  for (const ErrorParts& problem : verify_model_folder(place)) throw Error(problem);
  check(checkpoint.tensors().size() == 5, "tensors are missing");
  return whole_version(checkpoint, checkpoint.config_json().at("version"));
}

SaveKind model_folder_kind(std::string name, bool can_exchange) {
  return {.name = std::move(name),
          .save =
              [can_exchange](const fs::path& place, int version) {
                exchange_is_missing = !can_exchange;
                save_model_folder(place, model(version));
              },
          .open = open_folder};
}

SaveKind safetensors_kind() {
  const auto file = [](const fs::path& place) { return fs::path(place.string() + ".safetensors"); };
  return {.name = "Safetensors",
          .save = [file](const fs::path& place, int version) { write_safetensors(file(place), tensors(version, 60)); },
          .open =
              [file](const fs::path& place) {
                const fs::path config = place.parent_path() / "config.json";
                if (!fs::exists(config)) write_file(config, config_text(0));
                const Checkpoint checkpoint = open_checkpoint(file(place), {}, config);
                check(checkpoint.tensors().size() == 60, "tensors are missing");
                return whole_version(checkpoint, static_cast<int>(checkpoint.at("t0").bytes.front()));
              }};
}

/// A file that a verifier reads back before it takes the place of the old one.
SaveKind gguf_kind() {
  constexpr int kTensors = 60;
  const auto file = [](const fs::path& place) { return fs::path(place.string() + ".gguf"); };
  const auto open = [](const fs::path& path) {
    const Checkpoint checkpoint = open_checkpoint(path);
    check(checkpoint.tensors().size() == kTensors, "tensors are missing");
    return whole_version(checkpoint, static_cast<int>(checkpoint.tensors().begin()->second.bytes.front()));
  };
  const auto save = [file, open](const fs::path& place, int version) {
    const GgufFields metadata{{"general.architecture", std::string("llama")},
                              {"llama.block_count", std::uint32_t{kTensors}},
                              {"llama.context_length", std::uint32_t{64}},
                              {"llama.embedding_length", std::uint32_t{32}},
                              {"llama.feed_forward_length", std::uint32_t{32}},
                              {"llama.attention.head_count", std::uint32_t{4}},
                              {"llama.attention.layer_norm_rms_epsilon", 1e-5F},
                              {"llama.vocab_size", std::uint32_t{1}}};
    const std::string bytes(32 * sizeof(float), static_cast<char>(version));
    const auto put_bytes = [&bytes](const auto& put) { put(std::as_bytes(std::span(bytes))); };
    std::vector<GgufTensorSource> sources{{"token_embd.weight", DType::F32, {1, 32}, put_bytes}};
    for (int i = 1; i < kTensors; ++i) {
      sources.push_back({text("blk.", i, ".attn_norm.weight"), DType::F32, {32}, put_bytes});
    }
    write_gguf(file(place), metadata, sources, {}, [&](const fs::path& beside) {
      check(open(beside) == version, "what is read back is of another version");
    });
  };
  return {.name = "Gguf", .save = save, .open = [file, open](const fs::path& place) { return open(file(place)); }};
}

std::string plan_text(int version) {
  ConversionPlan plan;
  plan.description = std::string(5000, 'x');
  plan.layers[0].feed_forward = MoePlan{};
  plan.seed = static_cast<std::uint64_t>(version);
  return plan_to_json(plan).dump(2) + "\n";
}

SaveKind plan_kind() {
  return {.name = "Plan",
          .save = [](const fs::path& place, int version) { write_file(place, plan_text(version)); },
          .open = [](const fs::path& place) { return static_cast<int>(plan_from_json(read_json_file(place)).seed); },
          .cleans_when_opened = false};
}

void write_over(const fs::path& path, const std::string& content) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  check(::write(descriptor, content.data(), content.size()) >= 0, "cannot write");
  ::close(descriptor);
}

}  // namespace

std::vector<SaveKind> save_kinds() {
  return {model_folder_kind("ModelFolder", /*can_exchange=*/true),
          model_folder_kind("ModelFolderWhereNamesCannotBeExchanged", /*can_exchange=*/false), safetensors_kind(),
          gguf_kind(), plan_kind(), train_state_kind()};
}

std::vector<SaveKind> naive_kinds() {
  SaveKind file = plan_kind();
  file.name = "NaiveFile";
  file.save = [](const fs::path& place, int version) { write_over(place, plan_text(version)); };
  const auto save_one_by_one = [](const fs::path& place, int version) {
    fs::create_directories(place);
    for (const FolderFile& small : model(version).files) write_file(place / small.name, small.content);
    write_safetensors(place / "model.safetensors", tensors(version, 5));
  };
  const auto open = [](const fs::path& place) {
    const Checkpoint checkpoint = open_checkpoint(place);
    return whole_version(checkpoint, checkpoint.config_json().at("version"));
  };
  return {file, {.name = "NaiveFolder", .save = save_one_by_one, .open = open}};
}

}  // namespace lathe
