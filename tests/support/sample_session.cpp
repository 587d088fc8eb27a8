#include "tests/support/sample_session.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lathe {
namespace {

constexpr JobId kOpen = 1, kConvert = 2, kTrain = 3, kGenerate = 4, kOriginal = 5;

/// A repeatable number in [0, 1).
float noise(std::uint64_t seed) {
  seed = (seed + 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
  seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<float>((seed ^ (seed >> 31)) >> 40) / 16777216.0F;
}

ModelInfo info_of(ModelConfig config) {
  ModelInfo info;
  info.name = "SmolLM2-135M-Instruct";
  info.path = "/models/smollm2-135m-instruct";
  info.device = "cpu";
  info.dtype = "f32";
  info.format = "GGUF v3 Q4_1";
  info.weight_bytes = sizes_of(config).params * 4;
  info.sha256 = std::string(60, 'a') + std::to_string(config.num_layers());
  info.config = std::move(config);
  return info;
}

LayerReceipt attention_receipt(std::int64_t layer, const MlaPlan& plan, const ModelConfig& config) {
  LayerReceipt receipt;
  receipt.layer = layer;
  receipt.method = plan.method;
  const double error = 0.01 + 0.05 * static_cast<double>(noise(static_cast<std::uint64_t>(layer)));
  for (const char* stage : {"merge", "rotate", "partial rope", "balance", "low rank", "absorb"}) {
    const double so_far = receipt.stages.size() < 2 ? 1e-6 : error * static_cast<double>(receipt.stages.size()) / 5.0;
    receipt.stages.push_back({stage, so_far});
  }
  receipt.relative_error = receipt.stages.back().relative_error;
  receipt.params_before = attention_params(config, {});
  receipt.kv_values_before = kv_values_per_token(config, {});
  receipt.kv_values_after = plan.kv_lora_rank + plan.qk_rope_head_dim;
  receipt.seconds = 1.4;
  receipt.spectrum.layer = layer;
  receipt.spectrum.kept_rank = plan.kv_lora_rank;
  for (int i = 0; i < 352; ++i)
    receipt.spectrum.eigenvalues.push_back(40.0F * std::exp(-0.028F * static_cast<float>(i)) + 1e-4F);
  return receipt;
}

LayerReceipt feed_forward_receipt(std::int64_t layer, const MoePlan& plan, const ModelConfig& config) {
  LayerReceipt receipt;
  receipt.layer = layer;
  receipt.part = LayerPart::FeedForward;
  receipt.method = plan.method;
  receipt.stages = {{"experts", 0.0}, {"router", 0.0021}};
  receipt.relative_error = 0.0021;
  receipt.params_before = feed_forward_params(config, {});
  receipt.params_after = receipt.params_before * plan.num_experts;
  receipt.seconds = 0.3;
  return receipt;
}

std::vector<LayerReceipt> receipts_of(const ConversionPlan& plan, const ModelConfig& config) {
  std::vector<LayerReceipt> receipts;
  for (const auto& [layer, part] : plan.layers) {
    if (part.attention) receipts.push_back(attention_receipt(layer, *part.attention, config));
    if (part.feed_forward) receipts.push_back(feed_forward_receipt(layer, *part.feed_forward, config));
  }
  return receipts;
}

TrainStep step_at(std::int64_t step, std::int64_t steps, const std::vector<std::int64_t>& moe_layers) {
  TrainStep event;
  event.step = step;
  event.steps = steps;
  const float progress = static_cast<float>(step) / static_cast<float>(steps);
  event.next_token = 2.9F + 0.9F * std::exp(-4.0F * progress) + 0.15F * noise(static_cast<std::uint64_t>(step));
  event.balance = 1.02F + 0.6F * std::exp(-5.0F * progress);
  event.kl = 0.4F * std::exp(-3.0F * progress);
  event.loss = event.next_token + 0.01F * event.balance;
  event.lr = 3e-4F * (0.1F + 0.9F * 0.5F * (1.0F + std::cos(3.14159F * progress)));
  event.grad_norm = 0.8F + noise(static_cast<std::uint64_t>(step + 77));
  event.tokens_per_second = 310.0 + 20.0 * static_cast<double>(noise(static_cast<std::uint64_t>(step + 9)));
  for (const std::int64_t layer : moe_layers) {
    RouterLoad router;
    router.layer = layer;
    float sum = 0.0F;
    for (int expert = 0; expert < 8; ++expert) {
      const float own = noise(static_cast<std::uint64_t>(layer * 8 + expert));
      router.load.push_back(0.125F + (own - 0.5F) * 0.22F * std::exp(-3.0F * progress));
      sum += router.load.back();
    }
    for (float& load : router.load) load /= sum;
    for (const float load : router.load) router.entropy -= load * std::log(load);
    router.max_violation = *std::max_element(router.load.begin(), router.load.end()) * 8.0F - 1.0F;
    router.balance = event.balance + 0.01F * static_cast<float>(layer % 5);
    event.routers.push_back(std::move(router));
  }
  return event;
}

std::vector<TokenText> sample_tokens(std::int64_t count) {
  const char* words[] = {"Once", " upon", " a",      " time", ",",           " there",
                         " was", " a",    " turner", "\n",    " na\u00efve", " 木"};
  std::vector<TokenText> tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back({100 + i, words[i % 12]});
  return tokens;
}

void start(Session& session, JobId job, const char* title) { reduce(session, Event{job, JobStarted{title}}); }

void end(Session& session, JobId job, double seconds) {
  reduce(session, Event{job, JobEnded{JobOutcome::Done, "", seconds}});
}

void write(Session& session, JobId job, bool original) {
  Generate generate{.settings = {.prompt = "The lathe turns", .stop = {}}, .original = original};
  reduce(session, Command{job, generate});
  start(session, job, "Write 48 tokens");
  const auto tokens = sample_tokens(48);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    TokenWritten written;
    written.choice.token = tokens[(i + (original && i > 20 ? 3 : 0)) % tokens.size()];
    written.choice.probability = 0.1F + 0.9F * noise(i + (original ? 1000 : 0));
    written.choice.alternatives = {{written.choice.token, written.choice.probability}, {{7, " wood"}, 0.08F}};
    written.text = written.choice.token.text;
    text += written.text;
    reduce(session, Event{job, written});
  }
  reduce(session, Event{job, Generated{.text = text,
                                       .ids = {},
                                       .prompt_tokens = 4,
                                       .prefill_seconds = 0.02,
                                       .tokens_per_second = original ? 31.0 : 34.5,
                                       .finish = "length",
                                       .cache_bytes = original ? 1'474'560 : 912'384}});
  end(session, job, 1.5);
}

}  // namespace

ModelConfig sample_config(std::int64_t layers) {
  ModelConfig config;
  config.vocab_size = 49152;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.num_attention_heads = 9;
  config.num_key_value_heads = 3;
  config.head_dim = 64;
  config.max_position_embeddings = 8192;
  config.tie_word_embeddings = true;
  config.layers.resize(static_cast<std::size_t>(layers));
  return config;
}

ConversionPlan sample_plan() {
  ConversionPlan plan;
  plan.name = "sample";
  for (std::int64_t layer = 8; layer <= 24; layer += 2) plan.layers[layer].attention = MlaPlan();
  for (const std::int64_t layer : {11, 15, 19, 23}) plan.layers[layer].feed_forward = MoePlan();
  return plan;
}

Session empty_session() { return {}; }
Session opened_session(std::int64_t layers) {
  Session session;
  start(session, kOpen, "Open SmolLM2-135M-Instruct");
  reduce(session, Event{kOpen, ModelChanged{info_of(sample_config(layers))}});
  reduce(session, Event{0, LogLine{LogLevel::Info, "cpu: 2 cores, AVX-512"}});
  reduce(session, Event{0, MemoryUse{1'240'000'000, 0}});
  end(session, kOpen, 0.9);
  return session;
}

Session converting_session(int parts_done) {
  Session session = opened_session();
  const ConversionPlan plan = sample_plan();
  const ModelConfig config = session.model->config;
  const ModelConfig after = planned_config(plan, config);
  reduce(session, Command{kConvert, Convert{plan}});
  start(session, kConvert, "Convert 9 MLA, 4 MoE");
  const std::vector<LayerReceipt> receipts = receipts_of(plan, config);
  for (int i = 0; i < parts_done && i < static_cast<int>(receipts.size()); ++i) {
    const LayerReceipt& receipt = receipts[static_cast<std::size_t>(i)];
    reduce(session, Event{kConvert, LayerConverted{receipt, after.layers[static_cast<std::size_t>(receipt.layer)]}});
    reduce(session, Event{kConvert, JobProgress{{"layers", "layers", i + 1, 13}, 1.2 * (i + 1)}});
  }
  return session;
}

Session converted_session() {
  Session session = converting_session(13);
  const ConversionPlan plan = sample_plan();
  Receipt receipt;
  receipt.plan = plan;
  receipt.layers = receipts_of(plan, session.model->config);
  receipt.nll_before = 3.011;
  receipt.nll_after = 3.642;
  receipt.eval_tokens = 4096;
  receipt.sizes_before = sizes_of(session.model->config);
  receipt.sizes_after = sizes_of(planned_config(plan, session.model->config));
  receipt.kv_bytes_per_token_before = 4 * receipt.sizes_before.kv_values_per_token;
  receipt.kv_bytes_per_token_after = 4 * receipt.sizes_after.kv_values_per_token;
  receipt.seconds = 17.0;
  receipt.calibration_sha256 = std::string(64, 'c');
  receipt.calibration_tokens = 4096;
  receipt.device = "cpu", receipt.dtype = "f32";
  reduce(session, Event{kConvert, Converted{receipt}});
  ModelInfo info = info_of(planned_config(plan, session.model->config));
  info.sha256 = std::string(64, 'b');
  info.differs_from_original = true;
  info.saved = false;
  info.undo = {"Convert 9 MLA, 4 MoE"};
  reduce(session, Event{kConvert, ModelChanged{info, receipt}});
  end(session, kConvert, 17.0);
  return session;
}

Session trained_session(std::int64_t steps, bool running) {
  Session session = converted_session();
  TrainSettings settings;
  settings.steps = running ? steps + steps / 3 : steps;
  reduce(session, Command{kTrain, Train{.settings = settings, .teacher = {}}});
  start(session, kTrain, ("Train " + std::to_string(settings.steps) + " steps").c_str());
  reduce(session, Event{kTrain, HeldOut{0, 3.642, 3.011}});
  for (std::int64_t step = 1; step <= steps; ++step) {
    reduce(session, Event{kTrain, step_at(step, settings.steps, {11, 15, 19, 23})});
    if (step % std::max<std::int64_t>(1, steps / 4) == 0)
      reduce(session,
             Event{kTrain, HeldOut{step, 3.642 - 0.4 * static_cast<double>(step) / static_cast<double>(steps), 3.011}});
  }
  reduce(session, Event{kTrain, JobProgress{{"training", "steps", steps, settings.steps}, 42.0}});
  if (!running) end(session, kTrain, 42.0);
  return session;
}

AttentionMap sample_attention(std::int64_t tokens, std::int64_t side) {
  AttentionMap map;
  map.layer = 0;
  map.head = 0;
  map.num_tokens = tokens;
  map.side = side;
  map.pool = (tokens + side - 1) / side;
  map.weights.assign(static_cast<std::size_t>(side * side), 0.0F);
  for (std::int64_t q = 0; q < side; ++q) {
    float sum = 0.0F;
    float* row = map.weights.data() + q * side;
    for (std::int64_t k = 0; k <= q; ++k) {
      row[k] = std::exp(-0.05F * static_cast<float>(q - k)) + (k == 0 ? 2.0F : 0.0F) +
               (noise(static_cast<std::uint64_t>(k)) > 0.96F ? 0.6F : 0.02F);
      sum += row[k];
    }
    for (std::int64_t k = 0; k <= q; ++k) row[k] /= sum;
  }
  map.tokens = sample_tokens(tokens);
  map.version = 1;
  return map;
}

Session full_session() {
  Session session = trained_session(60);
  write(session, kGenerate, false);
  write(session, kOriginal, true);
  reduce(session, Snapshot{std::make_shared<const AttentionMap>(sample_attention(1024, 512))});
  for (const std::int64_t layer : {11, 15, 19, 23}) {
    RouterChoices choices{.layer = layer,
                          .num_experts = 8,
                          .top_k = 2,
                          .tokens = sample_tokens(64),
                          .experts = {},
                          .weights = {},
                          .version = 1};
    for (std::int64_t i = 0; i < 64; ++i) {
      const auto best = static_cast<std::int32_t>(noise(static_cast<std::uint64_t>(layer * 100 + i)) * 8.0F);
      choices.experts.insert(choices.experts.end(), {best, (best + 3) % 8});
      choices.weights.insert(choices.weights.end(), {0.7F, 0.3F});
    }
    reduce(session, Snapshot{std::make_shared<const RouterChoices>(std::move(choices))});
  }
  LiveLatent live{.layer = 8, .num_tokens = 512, .eigenvalues = {}, .step = 60, .version = 1};
  for (int i = 0; i < 96; ++i) live.eigenvalues.push_back(30.0F * std::exp(-0.035F * static_cast<float>(i)));
  reduce(session, Snapshot{std::make_shared<const LiveLatent>(std::move(live))});
  reduce(session, Event{0, LogLine{LogLevel::Warning, "tokenizer.json: no chat template"}});
  reduce(session,
         Event{0, Evaluated{
                      .nll = 3.21, .ppl = 24.8, .tokens = 8192, .compared = true, .kl = 0.21, .top1_agreement = 0.83}});
  return session;
}

ModelPreview sample_preview(const std::string& path, bool refused) {
  ModelPreview preview{.path = path};
  preview.format = "safetensors, BF16";
  preview.architecture = "llama";
  preview.stored_bytes = 16'060'522'496;
  preview.dtypes = {{"BF16", 291}};
  ModelConfig config = sample_config(32);
  config.hidden_size = 4096, config.intermediate_size = 14336, config.vocab_size = 128256;
  config.num_attention_heads = 32, config.num_key_value_heads = 8, config.head_dim = 128;
  config.tie_word_embeddings = false;
  preview.config = config;
  preview.tokenizer = "128256 tokens, chat template";
  preview.memory = {{"cpu", "f32", 32'121'044'992, 24'000'000'000}, {"cpu", "bf16", 16'060'522'496, 24'000'000'000}};
  preview.warnings = {"there are both model.safetensors and model.safetensors.index.json; the first is used"};
  for (int i = 0; i < 32; ++i) {
    for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj", "mlp.down_proj"}) {
      preview.tensors.push_back({.name = text("model.layers.", i, ".", part, ".weight"),
                                 .shape = {4096, 4096},
                                 .dtype = "BF16",
                                 .bytes = 33'554'432,
                                 .file = "model-00001-of-00004.safetensors"});
    }
  }
  if (!refused) return preview;
  preview.tensors[2].state = TensorState::Missing;
  preview.tensors[5].state = TensorState::WrongShape;
  preview.tensors[5].expected_shape = {1024, 4096};
  preview.refusal =
      ErrorParts{.code = ErrorCode::Shard,
                 .what = "the tensors are not those that the config describes",
                 .where = path,
                 .got =
                     "matched 289 of 291\nmissing (1):\n  model.layers.0.mlp.gate_proj.weight\nwrong shape (1):\n  "
                     "model.layers.1.self_attn.k_proj.weight: got [4096, 4096], expected [1024, 4096]",
                 .expected = "291 tensors and no others",
                 .hint = "check that config.json belongs to these weights and that all of their files are there"};
  return preview;
}

std::vector<ExportTarget> sample_export_targets() {
  return {{.name = "hf", .title = "Hugging Face folder", .about = "transformers with trust_remote_code, and Lathe"},
          {.name = "mixtral", .title = "Mixtral (stock transformers)", .about = "transformers, vLLM, llama.cpp"},
          {.name = "deepseek-v3",
           .title = "DeepSeek-V3 (stock transformers)",
           .about = "transformers, vLLM",
           .refusal = ErrorParts{.code = ErrorCode::Export,
                                 .what = "not every layer's attention is MLA",
                                 .where = "layer 3",
                                 .got = "GQA in 21 of 30 layers",
                                 .expected = "MLA in all",
                                 .hint = "convert the other layers too, or export as hf"}}};
}

Session tensor_session() {
  Session session = opened_session();
  auto tensors = std::make_shared<std::vector<TensorInfo>>();
  tensors->push_back({.name = "model.embed_tokens.weight", .shape = {49152, 576}, .dtype = "f32", .bytes = 113246208});
  for (int i = 0; i < 30; ++i) {
    for (const char* part : {"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"}) {
      tensors->push_back({.name = text("model.layers.", i, ".", part, ".weight"),
                          .shape = {576, 576},
                          .dtype = "f32",
                          .bytes = 1'327'104});
    }
  }
  session.model->tensors = session.model->original_tensors = tensors;
  TensorPicture picture;
  picture.name = tensors->at(1).name;
  picture.shape = {576, 576};
  picture.dtype = "f32";
  picture.rows = picture.columns = 576;
  picture.region = {0, 576, 0, 576};
  picture.tall = picture.wide = 288;
  for (std::int64_t i = 0; i < 288 * 288; ++i) {
    const float value = (noise(static_cast<std::uint64_t>(i)) - 0.5F) * (i / 288 % 64 < 8 ? 0.4F : 0.1F);
    picture.mean.push_back(i == 40'000 ? std::nanf("") : value);
    picture.low.push_back(value - 0.02F);
    picture.high.push_back(value + 0.02F);
  }
  picture.figures = {.nan = 1, .min = -0.31, .max = 0.29, .mean = 0.0004, .stddev = 0.048};
  for (int bin = 0; bin < 96; ++bin) {
    const double at = (bin - 48) / 16.0;
    picture.figures.histogram.push_back(static_cast<std::int64_t>(20'000 * std::exp(-at * at)));
  }
  picture.version = 1;
  session.tensor = std::make_shared<const TensorPicture>(std::move(picture));
  return session;
}

Session failed_session() {
  Session session = opened_session();
  start(session, 6, "Train 60 steps");
  reduce(session, Event{6, JobEnded{JobOutcome::Failed,
                                    "text file: got 12 tokens, expected at least 512 for batch 2 x seq_len 256; choose "
                                    "a longer text; file: /texts/short.txt",
                                    0.1}});
  reduce(session, Event{0, LogLine{LogLevel::Error, "training stopped"}});
  start(session, 7, "Open broken.safetensors");
  const ErrorParts error{
      .code = ErrorCode::Offsets,
      .what = "the tensors overlap",
      .where = "tensor \"model.layers.3.mlp.up_proj.weight\", byte 1234 of /models/broken.safetensors",
      .got = "offset 3",
      .expected = "offset 5",
      .hint = "download the file again"};
  reduce(session, Event{7, JobEnded{JobOutcome::Failed, to_text(error), 0.1, error}});
  return session;
}

}  // namespace lathe
