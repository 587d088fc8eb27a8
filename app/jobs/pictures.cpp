#include "app/jobs/pictures.h"

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "app/assets.h"
#include "app/devices.h"
#include "model/infer/attention_map.h"
#include "model/infer/latent_moments.h"
#include "model/infer/router_choices.h"
#include "model/infer/tensor_picture.h"
#include "model/infer/token_ids.h"
#include "model/io/text_file.h"
#include "model/nn/forward.h"
#include "model/nn/names.h"
#include "model/train/text_batches.h"

namespace lathe {
namespace {

constexpr std::int64_t kMaxTokens = 4096;
constexpr std::size_t kSampleBytes = 4096;
constexpr std::int64_t kBins = 96;                        // of a tensor's histogram
constexpr auto kAfterFailure = std::chrono::seconds(10);  // what failed once most likely fails again

/// What to look at before anything was written: the opening of the text that ships with the program.
const std::string& sample_text() {
  static const std::string sample = read_text_file(text_path("", assets_folder())).text.substr(0, kSampleBytes);
  return sample;
}

bool fits(const Watch& watch, const ModelConfig& config) {
  if (watch.layer < 0 || watch.layer >= config.num_layers()) return false;
  const LayerConfig& layer = config.layers[static_cast<std::size_t>(watch.layer)];
  switch (watch.kind) {
    case PictureKind::Attention:
      return watch.head >= 0 && watch.head < config.num_attention_heads;
    case PictureKind::RouterChoices:
      return layer.feed_forward.kind == FeedForwardKind::Moe;
    case PictureKind::LiveLatent:
      return layer.attention.kind == AttentionKind::Mla;
    case PictureKind::Tensor:
      break;
  }
  return false;
}

LiveLatent live_latent(const Model& model, std::span<const std::int32_t> ids, std::int64_t layer) {
  const c10::InferenceMode inference;
  LatentMoments moments;
  const Probe probe(
      [layer](std::string_view name, std::int64_t at) { return name == tap::kLatent && at == layer; },
      [&moments](std::string_view, std::int64_t at, const at::Tensor& latent_BTR) { moments.add(at, latent_BTR); });
  hidden_states(model, ids_tensor(model, ids), {.probe = &probe});
  return moments.spectrum(layer);
}

}  // namespace

std::vector<std::int32_t> Pictures::ids_of(const Watch& watch, const Model& model, const Tokenizer& tokenizer) const {
  std::vector<std::int32_t> ids = ids_;
  if (!watch.prompt.empty() || ids.empty()) {
    ids = tokenizer.encode(watch.prompt.empty() ? sample_text() : watch.prompt);
  }
  const auto limit = static_cast<std::size_t>(std::min(kMaxTokens, model.config.max_position_embeddings));
  ids.resize(std::min(ids.size(), limit));
  return ids;
}

void Pictures::draw_tensor(const Watch& watch, const Model& model, const Outbox& outbox, const Job& job) {
  const Model& of = watch.original ? original_ : model;
  if (!of.embed_VD.defined()) return;
  const auto tensors = model_tensors(of);
  const auto found = std::ranges::find(tensors, watch.tensor, &NamedTensor::name);
  if (found == tensors.end()) return;
  if (!measured_.is_same(found->tensor)) {
    figures_ = tensor_figures(found->tensor, kBins, job);
    measured_ = found->tensor;
  }
  auto picture = std::make_shared<TensorPicture>(tensor_picture(found->tensor, watch.region, watch.max_side, job));
  picture->name = watch.tensor;
  picture->original = watch.original;
  picture->dtype = dtype_name(found->tensor.scalar_type());
  picture->figures = figures_;
  picture->version = version_;
  outbox.picture(std::shared_ptr<const TensorPicture>(std::move(picture)));
}

void Pictures::draw_tokens(const Watch& watch, const Model& model, const Tokenizer& tokenizer, const Outbox& outbox,
                           const Job& job) {
  const auto ids = ids_of(watch, model, tokenizer);
  if (ids.empty() || !fits(watch, model.config)) return;
  if (watch.kind == PictureKind::Attention) {
    const AttentionView view{.layer = watch.layer, .head = watch.head, .max_side = watch.max_side};
    auto map = std::make_shared<AttentionMap>(attention_map(model, ids, view, job));
    map->tokens = token_texts(tokenizer, ids);
    map->version = version_;
    outbox.picture(std::shared_ptr<const AttentionMap>(std::move(map)));
  } else if (watch.kind == PictureKind::RouterChoices) {
    for (RouterChoices& choices : router_choices(model, ids, job)) {
      choices.tokens = token_texts(tokenizer, ids);
      choices.version = version_;
      outbox.picture(std::make_shared<const RouterChoices>(std::move(choices)));
    }
  } else {
    auto latent = std::make_shared<LiveLatent>(live_latent(model, ids, watch.layer));
    latent->version = version_;
    outbox.picture(std::shared_ptr<const LiveLatent>(std::move(latent)));
  }
}

void Pictures::draw(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job) {
  for (const Watch& watch : outbox.watches()) {
    job.check();
    ++version_;
    if (watch.kind == PictureKind::Tensor) {
      draw_tensor(watch, model, outbox, job);
    } else {
      draw_tokens(watch, model, tokenizer, outbox, job);
    }
  }
}

bool Pictures::draw_or_warn(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job) {
  std::string why;
  try {
    draw(model, tokenizer, outbox, job);
    return true;
  } catch (const Cancelled&) {
    throw;
  } catch (const c10::Error& error) {
    why = error.what_without_backtrace();
  } catch (const std::exception& error) {
    why = error.what();
  }
  outbox.event({.job = 0, .what = LogLine{LogLevel::Warning, "What is shown could not be drawn: " + why}});
  return false;
}

void Pictures::draw_sparingly(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job) {
  const auto start = Clock::now();
  if (start < next_ || outbox.watches().empty()) return;
  measured_.reset();  // the step changed the weights
  const bool drawn = draw_or_warn(model, tokenizer, outbox, job);
  next_ = Clock::now() + 9 * (Clock::now() - start);
  if (!drawn) next_ = std::max(next_, start + kAfterFailure);
}

}  // namespace lathe
