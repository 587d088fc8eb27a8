#include "app/bench_against.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/bench_reading.h"
#include "app/bench_saved_model.h"
#include "app/bench_speed.h"
#include "app/line_process.h"
#include "model/io/tokenizer.h"
#include "model/train/text_batches.h"

namespace lathe {
namespace {

std::filesystem::path python() {
  const char* chosen = std::getenv("LATHE_PYTHON");
  const std::filesystem::path path = chosen != nullptr && *chosen != 0 ? chosen : LATHE_PYTHON;
  check(std::filesystem::exists(path), "[bench] there is no Python with transformers; run ./lathe test once, which ",
        "fetches one, or set LATHE_PYTHON to your own; looked at: ", path.string());
  return path;
}

/// One dtype, both programs in turn.
nlohmann::json compare(const BenchOptions& options, const std::string& dtype, LineProcess& other, const Job& job) {
  const BenchModel model = open_for_bench(options, dtype, job);
  nlohmann::json load;
  {
    const SavedModel saved(model.opened, job);
    const nlohmann::json request = {{"do", "load"},
                                    {"model", saved.path()},
                                    {"dtype", dtype},
                                    {"device", model.opened.model().device().str()},
                                    {"threads", at::get_num_threads()}};
    load = nlohmann::json::parse(other.ask(request.dump()));
  }
  const nlohmann::json request = {{"do", "measure"}, {"prompt", model.prompt_ids}, {"new_tokens", options.new_tokens}};
  const auto prompt_tokens = static_cast<double>(model.prompt_ids.size());
  SpeedFigures ours{.dtype = dtype}, theirs{.dtype = dtype};
  SpeedFigures warm_up;
  measure_writing(model, options, warm_up, job);
  other.ask(request.dump());
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    job.progress("against transformers, " + dtype, "rounds", round, options.rounds);
    measure_writing(model, options, ours, job);
    const auto answer = nlohmann::json::parse(other.ask(request.dump()));
    theirs.rounds.push_back({prompt_tokens / answer.at("prefill_seconds").get<double>(),
                             answer.at("decode_tokens_per_second").get<double>()});
  }
  const nlohmann::json our = speed_to_json(ours), their = speed_to_json(theirs);
  const auto ratio = [&](const char* key) { return our.at(key).get<double>() / their.at(key).get<double>(); };
  return {{"dtype", dtype},
          {"lathe", our},
          {"transformers",
           {{"load_seconds", load.at("load_seconds")},
            {"prefill_tokens_per_second", their.at("prefill_tokens_per_second")},
            {"decode_tokens_per_second", their.at("decode_tokens_per_second")},
            {"prefill_rounds", their.at("prefill_rounds")},
            {"decode_rounds", their.at("decode_rounds")}}},
          {"prefill_ratio", ratio("prefill_tokens_per_second")},
          {"decode_ratio", ratio("decode_tokens_per_second")}};
}

/// The same prose through both tokenizers, in turn; `other` has the one of the model that it loaded.
nlohmann::json compare_tokenizers(const BenchOptions& options, LineProcess& other) {
  const Tokenizer tokenizer = load_tokenizer(model_path(options.model), options.config);
  const nlohmann::json request = {{"do", "tokenize"}, {"file", text_path("", assets_folder()).string()}};
  std::vector<double> ours, theirs;
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    ours.push_back(measure_tokenizer(tokenizer, /*rounds=*/1).front());
    theirs.push_back(nlohmann::json::parse(other.ask(request.dump())).at("mb_per_second").get<double>());
  }
  return {{"lathe_mb_per_second", median(ours)},
          {"tokenizers_mb_per_second", median(theirs)},
          {"ratio", median(ours) / median(theirs)}};
}

/// Gone when the measurement is over, whatever ended it.
class ScratchFile {
 public:
  explicit ScratchFile(const std::vector<std::byte>& bytes)
      : path_(std::filesystem::temp_directory_path() / text("lathe-bench-blocks-", getpid())) {
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    check(file.flush().good(), "[bench] cannot write ", path_.string(), "; is there room in the temporary folder?");
  }
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The same blocks through both, in turn: numpy's work in the `gguf` package, on one thread.
nlohmann::json compare_dequantizing(const BenchOptions& options, LineProcess& other) {
  const std::vector<std::byte> blocks = random_q4_k_blocks();
  const ScratchFile file(blocks);
  const std::string request = nlohmann::json{{"do", "dequantize"}, {"file", file.path()}, {"type", "Q4_K"}}.dump();
  std::vector<double> ours, theirs;
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    ours.push_back(measure_q4_k(blocks));
    theirs.push_back(nlohmann::json::parse(other.ask(request)).at("gb_per_second").get<double>());
  }
  return {{"lathe_gb_per_second", median(ours)},
          {"gguf_gb_per_second", median(theirs)},
          {"ratio", median(ours) / median(theirs)}};
}

}  // namespace

nlohmann::json bench_against_transformers(const BenchOptions& options, const Job& job) {
  const auto script = assets_folder().parent_path() / "tests/bench/against_transformers.py";
  LineProcess other({python().string(), script.string()});
  nlohmann::json results;
  for (const std::string& dtype : options.dtypes) results["speed"].push_back(compare(options, dtype, other, job));
  results["tokenizer"] = compare_tokenizers(options, other);
  results["q4_k"] = compare_dequantizing(options, other);
  return results;
}

}  // namespace lathe
