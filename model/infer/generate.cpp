#include "model/infer/generate.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string>

#include "model/infer/sampling.h"
#include "model/infer/stop_strings.h"
#include "model/infer/token_ids.h"
#include "model/io/chat_template.h"
#include "model/nn/cache.h"
#include "model/nn/forward.h"

namespace lathe {
namespace {

// T tokens of one chunk, D hidden_size, V vocabulary, I ids

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Tokens read at once: enough to keep the matrix products busy, few enough that activations stay small.
std::int64_t prefill_chunk(const Model& model) { return model.device().is_cpu() ? 512 : 8192; }

/// The output head of hidden_D as plain numbers on the host: the one place where decoding waits for the device.
at::Tensor host_logits(const Model& model, const at::Tensor& hidden_1TD) {
  return output_logits(model, hidden_1TD)[0].to(at::kCPU, at::kFloat).contiguous();
}

std::span<const float> row(const at::Tensor& logits_TV, std::int64_t index) {
  const auto width = static_cast<std::size_t>(logits_TV.size(1));
  return {logits_TV.const_data_ptr<float>() + static_cast<std::size_t>(index) * width, width};
}

/// One generation while it runs.
class Writer {
 public:
  Writer(const Model& model, const Tokenizer& tokenizer, const GenerateRequest& request, const Job& job)
      : model_(model),
        tokenizer_(tokenizer),
        request_(request),
        job_(job),
        sampler_(request.settings),
        stops_(request.settings.stop),
        decoder_(tokenizer) {}

  Generated run();

 private:
  void make_room();
  void read_prompt();
  void tell_prompt(const at::Tensor& hidden_1TD, std::int64_t first);
  void decode();
  bool write_token();  // false when the text has ended
  void finish();
  bool is_eos(std::int32_t id) const;
  TokenText token_text(std::int32_t id) const { return {id, tokenizer_.token_text(id)}; }
  TokenChoice told(const Choice& choice) const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  const GenerateRequest& request_;
  const Job& job_;
  Sampler sampler_;
  StopStrings stops_;
  StreamDecoder decoder_;

  std::vector<std::int32_t> prompt_;
  std::int64_t limit_ = 0;  // tokens that may be written
  Cache cache_;
  at::Tensor logits_1V_;  // of the next token, on the host
  std::vector<TokenChoice> prompt_choices_;
  Generated result_;
};

bool Writer::is_eos(std::int32_t id) const {
  const auto of_tokenizer = tokenizer_.eos_ids();
  return std::ranges::find(of_tokenizer, id) != of_tokenizer.end() ||
         std::ranges::find(model_.config.eos_token_ids, id) != model_.config.eos_token_ids.end();
}

TokenChoice Writer::told(const Choice& choice) const {
  TokenChoice told{.token = token_text(choice.id), .probability = choice.probability, .alternatives = {}};
  for (const Candidate& candidate : choice.alternatives) {
    told.alternatives.emplace_back(token_text(candidate.id), candidate.probability);
  }
  return told;
}

void Writer::make_room() {
  prompt_ = prompt_ids(tokenizer_, request_.settings);
  const std::int64_t context = model_.config.max_position_embeddings, used = std::ssize(prompt_);
  check_ids(model_, prompt_, "the prompt");
  for (const std::int32_t id : prompt_) sampler_.see(id);
  limit_ = std::min(request_.settings.max_new_tokens, context - used);
  result_.prompt_tokens = used;
  // The last token written is never read again.
  cache_ = make_cache(model_, /*batch=*/1, used + std::max<std::int64_t>(limit_ - 1, 0));
  result_.cache_bytes = cache_.bytes();
}

void Writer::read_prompt() {
  const auto start = Clock::now();
  const ForwardOptions options{.cache = &cache_, .probe = request_.probe, .routers = nullptr, .absorb = true};
  const std::int64_t total = std::ssize(prompt_);
  const std::int64_t chunk = prefill_chunk(model_);
  for (std::int64_t first = 0; first < total; first += chunk) {
    job_.progress("read prompt", "tokens", first, total);
    const std::int64_t count = std::min(chunk, total - first);
    const auto ids = std::span(prompt_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const at::Tensor hidden_1TD = hidden_states(model_, ids_tensor(model_, ids), options);
    if (request_.on_prompt) tell_prompt(hidden_1TD, first);
    if (first + count == total) logits_1V_ = host_logits(model_, hidden_1TD.narrow(1, count - 1, 1));
  }
  if (request_.on_prompt) request_.on_prompt(prompt_choices_);
  result_.prefill_seconds = seconds_since(start);
  job_.progress("read prompt", "tokens", total, total);
}

void Writer::tell_prompt(const at::Tensor& hidden_1TD, std::int64_t first) {
  constexpr std::int64_t kRows = 64;  // logits of so many tokens at a time: 12 MB at a vocabulary of 49,152
  const std::int64_t count = std::min(hidden_1TD.size(1), std::ssize(prompt_) - 1 - first);
  for (std::int64_t begin = 0; begin < count; begin += kRows) {
    const std::int64_t rows = std::min(kRows, count - begin);
    const at::Tensor logits_TV = host_logits(model_, hidden_1TD.narrow(1, begin, rows));
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int32_t next = prompt_[static_cast<std::size_t>(first + begin + i + 1)];
      prompt_choices_.push_back(told(describe_choice(row(logits_TV, i), next, request_.alternatives)));
    }
  }
}

bool Writer::write_token() {
  const auto logits = row(logits_1V_, 0);
  const std::int32_t id = sampler_.choose(logits);
  sampler_.see(id);
  result_.ids.push_back(id);
  TokenWritten written{.choice = told(describe_choice(logits, id, request_.alternatives)),
                       .text = stops_.push(decoder_.push(id))};
  result_.text += written.text;
  if (is_eos(id)) result_.finish = "eos";
  if (stops_.stopped()) result_.finish = "stop";
  if (request_.on_token) request_.on_token(written);
  return result_.finish.empty();
}

void Writer::decode() {
  const auto start = Clock::now();
  const ForwardOptions options{.cache = &cache_, .probe = request_.probe, .routers = nullptr, .absorb = true};
  std::int64_t steps = 0;
  try {
    while (std::ssize(result_.ids) < limit_ && write_token() && std::ssize(result_.ids) < limit_) {
      job_.progress("write", "tokens", std::ssize(result_.ids), limit_);
      const auto last = static_cast<std::int32_t>(result_.ids.back());
      logits_1V_ = host_logits(model_, hidden_states(model_, ids_tensor(model_, {&last, 1}), options));
      ++steps;
    }
  } catch (const Cancelled&) {
    result_.finish = "cancelled";
  }
  const double seconds = seconds_since(start);
  if (steps > 0) result_.tokens_per_second = static_cast<double>(steps) / seconds;
}

void Writer::finish() {
  if (result_.finish.empty()) {
    result_.finish = limit_ == request_.settings.max_new_tokens ? "length" : "context";
  }
  const std::string rest = stops_.push(decoder_.finish()) + stops_.finish();
  if (rest.empty()) return;
  result_.text += rest;
  if (request_.on_token) request_.on_token({.choice = {.token = {-1, ""}, .alternatives = {}}, .text = rest});
}

Generated Writer::run() {
  const c10::InferenceMode no_gradients;
  make_room();
  read_prompt();
  decode();
  finish();
  return std::move(result_);
}

}  // namespace

std::vector<std::int32_t> prompt_ids(const Tokenizer& tokenizer, const GenerateSettings& settings) {
  std::vector<std::int32_t> ids;
  if (settings.chat) {
    const ChatMessage message{.role = "user", .content = settings.prompt};
    ids = tokenizer.encode(render_chat(tokenizer, std::span(&message, 1), /*add_generation_prompt=*/true),
                           {.add_special_tokens = false});
  } else {
    ids = tokenizer.encode(settings.prompt);
  }
  if (ids.empty() && tokenizer.bos_id()) ids.push_back(*tokenizer.bos_id());
  check(!ids.empty(), "[generate] the prompt is empty and this model has no token that begins a text; write a prompt");
  return ids;
}

Generated generate(const Model& model, const Tokenizer& tokenizer, const GenerateRequest& request, const Job& job) {
  return Writer(model, tokenizer, request, job).run();
}

}  // namespace lathe
