#include "app/bench_speed.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/open.h"
#include "app/jobs/preview.h"
#include "model/infer/generate.h"
#include "model/io/text_file.h"
#include "model/nn/names.h"
#include "model/train/text_batches.h"

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

/// A line of /proc/self/status ("VmHWM", "RssAnon") in bytes; 0 where there is no such line.
std::int64_t process_status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// Makes VmHWM count from now on.
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

/// Prose of about `tokens` tokens, cut where a token ends.
std::string bench_prompt(const Tokenizer& tokenizer, std::int64_t tokens) {
  const std::string text = read_text_file(text_path("", assets_folder())).text;
  auto ids = tokenizer.encode(text.substr(0, static_cast<std::size_t>(tokens) * 16));
  check(std::ssize(ids) >= tokens, "[bench] the shipped text has no ", tokens, " tokens; ask for a shorter prompt");
  ids.resize(static_cast<std::size_t>(tokens));
  return tokenizer.decode(ids);
}

std::int64_t weight_bytes(const Model& model) {
  std::int64_t bytes = 0;
  for (const NamedTensor& named : model_tensors(model)) bytes += static_cast<std::int64_t>(named.tensor.nbytes());
  return bytes;
}

/// What the Open dialog and the refusal of a model that is too large go by.
std::int64_t predicted_weight_bytes(const Model& model) {
  const std::string device = model.device().is_cuda() ? model.device().str() : "cpu";
  return chosen(memory_choices(model.config), device, dtype_name(model.dtype())).need_bytes;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

BenchModel open_for_bench(const BenchOptions& options, const std::string& dtype, const Job& job) {
  const OpenModel open{.path = options.model, .device = options.device, .dtype = dtype, .config = options.config};
  malloc_trim(0);  // what earlier measurements freed is not this one's
  const std::int64_t base_anonymous_bytes = process_status("RssAnon");
  open_model(open, job);
  std::int64_t peak_anonymous_bytes = 0;
  const Job sampling({}, [&](const Progress&) {  // before and after each tensor
    job.check();
    peak_anonymous_bytes = std::max(peak_anonymous_bytes, process_status("RssAnon"));
  });
  const auto start = Clock::now();
  BenchModel model{.opened = open_model(open, sampling), .prompt = {}, .prompt_ids = {}};
  model.load_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  model.base_anonymous_bytes = base_anonymous_bytes;
  model.load_bytes = peak_anonymous_bytes - base_anonymous_bytes;
  model.prompt = bench_prompt(model.opened.tokenizer, options.prompt_tokens);
  model.prompt_ids = model.opened.tokenizer.encode(model.prompt);
  return model;
}

void measure_writing(const BenchModel& model, const BenchOptions& options, SpeedFigures& figures, const Job& job) {
  GenerateRequest request;
  request.settings.prompt = model.prompt;
  request.settings.max_new_tokens = options.new_tokens;
  request.on_token = [&figures](const TokenWritten&) {
    figures.peak_anonymous_bytes = std::max(figures.peak_anonymous_bytes, process_status("RssAnon"));
  };
  const at::Device device = model.opened.model().device();
  reset_peak_memory();
  reset_device_memory_peak(device);
  const Generated written = generate(model.opened.model(), model.opened.tokenizer, request, job);
  job.check();
  figures.peak_resident_bytes = std::max(figures.peak_resident_bytes, process_status("VmHWM"));
  figures.peak_device_bytes = std::max(figures.peak_device_bytes, device_memory_peak(device));
  figures.prompt_tokens = written.prompt_tokens;
  figures.load_seconds = model.load_seconds;
  figures.load_bytes = model.load_bytes;
  figures.predicted_bytes = predicted_weight_bytes(model.opened.model());
  figures.base_anonymous_bytes = model.base_anonymous_bytes;
  figures.weight_bytes = weight_bytes(model.opened.model());
  figures.cache_bytes = written.cache_bytes;
  figures.rounds.push_back(
      {static_cast<double>(written.prompt_tokens) / written.prefill_seconds, written.tokens_per_second});
}

std::vector<double> measure_tokenizer(const Tokenizer& tokenizer, std::int64_t rounds) {
  const std::string text = read_text_file(text_path("", assets_folder())).text;
  std::vector<double> rates;
  for (std::int64_t round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    tokenizer.encode(text);
    rates.push_back(static_cast<double>(text.size()) / 1e6 /
                    std::chrono::duration<double>(Clock::now() - start).count());
  }
  return rates;
}

nlohmann::json speed_to_json(const SpeedFigures& figures) {
  std::vector<double> prefill, decode;
  for (const WritingSpeed& round : figures.rounds) {
    prefill.push_back(round.prefill_tokens_per_second);
    decode.push_back(round.decode_tokens_per_second);
  }
  const std::int64_t taken = figures.peak_device_bytes > 0
                                 ? figures.peak_device_bytes
                                 : figures.peak_anonymous_bytes - figures.base_anonymous_bytes;
  const double ratio = static_cast<double>(taken) / static_cast<double>(figures.weight_bytes + figures.cache_bytes);
  return {{"dtype", figures.dtype},
          {"load_seconds", figures.load_seconds},
          {"load_bytes", figures.load_bytes},
          {"prompt_tokens", figures.prompt_tokens},
          {"prefill_tokens_per_second", median(prefill)},
          {"decode_tokens_per_second", median(decode)},
          {"prefill_rounds", prefill},
          {"decode_rounds", decode},
          {"weight_bytes", figures.weight_bytes},
          {"predicted_weight_bytes", figures.predicted_bytes},
          {"cache_bytes", figures.cache_bytes},
          {"base_anonymous_bytes", figures.base_anonymous_bytes},
          {"peak_anonymous_bytes", figures.peak_anonymous_bytes},
          {"peak_resident_bytes", figures.peak_resident_bytes},
          {"peak_device_bytes", figures.peak_device_bytes},
          {"taken_over_weights_and_cache", ratio}};
}

}  // namespace lathe
