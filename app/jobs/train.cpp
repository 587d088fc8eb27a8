#include "app/jobs/train.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/open.h"
#include "model/data/event_json.h"
#include "model/infer/evaluate.h"
#include "model/io/atomic_file.h"
#include "model/io/dataset.h"
#include "model/nn/names.h"
#include "model/train/text_batches.h"
#include "model/train/trainer.h"

namespace lathe {
namespace {

constexpr std::int64_t kHeldOutWindows = 16;

/// Where a run keeps what it needs to go on. An empty folder keeps nothing.
class RunFolder {
 public:
  RunFolder(const std::string& folder, bool resume) : folder_(folder) {
    if (folder_.empty()) return;
    std::filesystem::create_directories(folder_);
    if (!resume) return;
    std::ifstream file(folder_ / "steps.jsonl");
    for (std::string line; std::getline(file, line);) lines_ += line + "\n";
  }

  std::filesystem::path state() const { return folder_ / "state.safetensors"; }

  void add(const TrainStep& step) { lines_ += train_step_to_json(step).dump() + "\n"; }

  void save(Trainer& trainer, const TrainSettings& settings) const {
    if (folder_.empty()) return;
    write_file(folder_ / "settings.json", train_settings_to_json(settings).dump(2) + "\n");
    write_file(folder_ / "steps.jsonl", lines_);
    trainer.save_state(state());
  }

 private:
  std::filesystem::path folder_;
  std::string lines_;
};

bool is_converted(const ModelConfig& config) {
  return std::ranges::any_of(config.layers, [](const LayerConfig& layer) {
    return layer.attention.kind == AttentionKind::Mla || layer.feed_forward.kind == FeedForwardKind::Moe;
  });
}

/// Throws Error if an id means another token to the teacher: its probabilities would be of other words.
void check_same_tokens(const Tokenizer& ours, const Tokenizer& theirs, const std::string& teacher) {
  const std::int64_t shared = std::min(ours.vocab_size(), theirs.vocab_size());
  std::int64_t id = 0;
  while (id < shared && ours.token(static_cast<std::int32_t>(id)) == theirs.token(static_cast<std::int32_t>(id))) ++id;
  check(id == ours.vocab_size() && id == theirs.vocab_size(), "the teacher has another tokenizer: its ",
        theirs.vocab_size(), " tokens differ from this model's ", ours.vocab_size(), " from token ", id,
        " on; name a teacher with the same tokenizer; teacher: ", teacher);
}

class TrainJob {
 public:
  TrainJob(const OpenedModel& opened, const Train& train, const TrainWatchers& watchers)
      : opened_(opened), train_(train), watchers_(watchers), folder_(train.settings.run_folder, train.resume) {}

  Model run() {
    read_text();
    Trainer trainer(input());
    if (train_.resume) resume(trainer);
    measure(opened_.model(), trainer.steps_done());
    const std::int64_t first = trainer.steps_done();
    const std::int64_t last = train_.stop_at > 0 ? train_.stop_at : train_.settings.steps;
    while (trainer.steps_done() < last && !trainer.is_done()) step(trainer);
    folder_.save(trainer, train_.settings);
    Model result = trainer.result();
    measure(result, trainer.steps_done());
    steps_done_ = trainer.steps_done() - first;
    return result;
  }

  /// The receipt of the model that was trained, and what run() did to it since.
  std::optional<Receipt> receipt() const {
    std::optional<Receipt> receipt = opened_.history.current().receipt;
    if (!receipt) return receipt;
    const std::int64_t earlier = receipt->healing ? receipt->healing->steps : 0;
    receipt->healing = Healing{.steps = earlier + steps_done_, .nll = nll_, .nll_original = std::nullopt};
    if (!is_converted(opened_.original().config)) receipt->healing->nll_original = original_nll_;
    return receipt;
  }

 private:
  void read_text() {
    const Dataset dataset = read_dataset(text_path(train_.settings.text, assets_folder()));
    for (const std::string& warning : dataset.warnings) {
      watchers_.outbox.event({.job = 0, .what = LogLine{LogLevel::Warning, warning}});
    }
    const at::Tensor ids_N = tokenize_text(opened_.tokenizer, dataset.text, watchers_.job);
    TextSplit split = split_text(ids_N, train_.settings.seq_len);
    fit_ids_N_ = split.fit_N;
    const auto* held_out = split.held_out_N.const_data_ptr<std::int64_t>();
    held_out_.assign(held_out, held_out + split.held_out_N.numel());
  }

  TrainInput input() {
    ModelPtr teacher;
    if (!train_.teacher.empty()) {
      const Model& model = opened_.model();
      const OpenModel open{.path = train_.teacher, .device = model.device().str(), .dtype = dtype_name(model.dtype())};
      const OpenedModel other = open_model(open, watchers_.job);
      check_same_tokens(opened_.tokenizer, other.tokenizer, train_.teacher);
      teacher = std::make_shared<const Model>(other.model());
    } else if (train_.settings.kl_weight > 0) {
      check(opened_.history.can_undo() || !is_converted(opened_.model().config),
            "this model was opened as it had been converted, so that its original is not in memory, and staying close "
            "to itself would teach it nothing; name the original as the teacher, or set kl_weight to 0");
      teacher = std::make_shared<const Model>(opened_.original());
    }
    return {.model = std::make_shared<const Model>(opened_.model()),
            .teacher = std::move(teacher),
            .fit_ids_N = fit_ids_N_,
            .settings = train_.settings};
  }

  void resume(Trainer& trainer) {
    check(!train_.settings.run_folder.empty(), "there is nothing to resume from; give the run's folder");
    for (const std::string& difference : trainer.restore_state(folder_.state())) {
      watchers_.outbox.event({.job = 0, .what = LogLine{LogLevel::Warning, difference}});
    }
  }

  void step(Trainer& trainer) {
    const TrainSettings& settings = train_.settings;
    const TrainStep done = trainer.step(watchers_.job);
    folder_.add(done);
    watchers_.outbox.event({.job = 0, .what = done});
    watchers_.job.progress("Training", "steps", done.step, settings.steps);
    const auto due = [&](std::int64_t every) {
      return every > 0 && done.step % every == 0 && done.step < settings.steps;
    };
    if (due(settings.save_every)) folder_.save(trainer, settings);
    if (due(settings.eval_every)) measure(trainer.result(), done.step);
    watchers_.pictures.draw_sparingly(trainer.current(), opened_.tokenizer, watchers_.outbox, watchers_.job);
  }

  /// The held-out loss now, beside the original's on the same windows.
  void measure(const Model& model, std::int64_t step) {
    const EvaluateOptions options{.window = train_.settings.seq_len, .windows = kHeldOutWindows};
    if (!original_nll_) original_nll_ = evaluate(opened_.original(), held_out_, options, watchers_.job).nll;
    nll_ = evaluate(model, held_out_, options, watchers_.job).nll;
    watchers_.outbox.event({.job = 0, .what = HeldOut{.step = step, .nll = nll_, .original = *original_nll_}});
  }

  const OpenedModel& opened_;
  const Train& train_;
  const TrainWatchers& watchers_;
  RunFolder folder_;
  at::Tensor fit_ids_N_;
  std::vector<std::int32_t> held_out_;
  std::optional<double> original_nll_;
  std::int64_t steps_done_ = 0;  ///< by this job
  double nll_ = 0.0;             ///< measured last
};

}  // namespace

Revision train_opened_model(const OpenedModel& opened, const Train& train, const TrainWatchers& watchers) {
  TrainJob job(opened, train, watchers);
  Revision revision{.model = job.run(), .sha256 = {}, .receipt = {}};
  revision.receipt = job.receipt();
  revision.sha256 = model_sha256(revision.model);
  return revision;
}

}  // namespace lathe
