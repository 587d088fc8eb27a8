#include "app/torch_engine.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <optional>

#include "app/devices.h"
#include "app/jobs/convert.h"
#include "app/jobs/evaluate.h"
#include "app/jobs/export.h"
#include "app/jobs/generate.h"
#include "app/jobs/open.h"
#include "app/jobs/opened_model.h"
#include "app/jobs/pictures.h"
#include "app/jobs/train.h"
#include "model/infer/generate.h"

namespace lathe {
namespace {

/// One overload per command. A job's result is put into the history only when all of it is done: whatever throws before
/// leaves the model as it was.
class TorchEngine final : public Engine {
 public:
  explicit TorchEngine(const EngineOptions& options) {
    load_gpu();
    if (options.threads > 0) at::set_num_threads(options.threads);
  }

  void run(const Command& command, const Job& job, const Outbox& outbox) override {
    try {
      std::visit([&](const auto& what) { run(what, job, outbox); }, command.what);
    } catch (const c10::Error& error) {
      throw Error(error.what_without_backtrace());  // the backtrace says nothing to a user
    }
  }

  MemoryUse memory_use() const override {
    return {host_memory_used(), opened_ ? device_memory_used(opened_->model().device()) : 0};
  }

 private:
  void run(const OpenModel& open, const Job& job, const Outbox& outbox) {
    const auto start = std::chrono::steady_clock::now();
    OpenedModel opened = open_model(open, job);
    opened_.emplace(std::move(opened));
    pictures_.look_at({});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    outbox.event({.job = 0, .what = LogLine{LogLevel::Info, opening_of(*opened_, seconds.count())}});
    changed(job, outbox);
    for (const std::string& warning : opened_->warnings) {
      outbox.event({.job = 0, .what = LogLine{LogLevel::Warning, opened_->name + ": " + warning}});
    }
  }

  // Looking at files needs no engine: preview_engine.h.
  void run(const PreviewModel&, const Job&, const Outbox&) {}

  void run(const Convert& convert, const Job& job, const Outbox& outbox) {
    Revision revision = convert_opened_model(opened(), convert, job, outbox);
    const Receipt receipt = revision.receipt.value();
    opened_->history.add(title_of({.job = 0, .what = convert}), std::move(revision));
    outbox.event({.job = 0, .what = Converted{receipt}});
    changed(job, outbox);
  }

  void run(const Undo&, const Job& job, const Outbox& outbox) {
    check(opened().history.can_undo(), "there is nothing to undo: the model is as it was opened");
    opened_->history.undo();
    changed(job, outbox);
  }

  void run(const Redo&, const Job& job, const Outbox& outbox) {
    check(opened().history.can_redo(), "there is nothing to redo");
    opened_->history.redo();
    changed(job, outbox);
  }

  void run(const Train& train, const Job& job, const Outbox& outbox) {
    Revision revision = train_opened_model(opened(), train, {job, outbox, pictures_});
    opened_->history.add(title_of({.job = 0, .what = train}), std::move(revision));
    changed(job, outbox);
  }

  void run(const Generate& generate, const Job& job, const Outbox& outbox) {
    const Generated generated = generate_with(opened(), generate, job, outbox);
    if (generate.original) return;  // pictures are of the model as it is now
    std::vector<std::int32_t> ids = prompt_ids(opened_->tokenizer, generate.settings);
    ids.insert(ids.end(), generated.ids.begin(), generated.ids.end());
    pictures_.look_at(std::move(ids));
    redraw(job, outbox);
  }

  void run(const Evaluate& evaluate, const Job& job, const Outbox& outbox) {
    outbox.event({.job = 0, .what = evaluate_opened(opened(), evaluate, job)});
  }

  void run(const SaveModel& save, const Job& job, const Outbox& outbox) {
    const Saved saved = save_opened_model(opened(), save, job);
    opened_->saved_sha256 = opened_->history.current().sha256;
    outbox.event({.job = 0, .what = saved});
  }

  void run(const ExportModel& what, const Job& job, const Outbox& outbox) {
    outbox.event({.job = 0, .what = export_opened_model(opened(), what, job)});
  }

  void run(const SetWatches&, const Job& job, const Outbox& outbox) {
    if (opened_) pictures_.draw(opened_->model(), opened_->tokenizer, outbox, job);
  }

  // The worker cancels at once and never hands this down.
  void run(const CancelJob&, const Job&, const Outbox&) {}

  const OpenedModel& opened() const {
    check(opened_.has_value(), "no model is open; open one first");
    return *opened_;
  }

  void changed(const Job& job, const Outbox& outbox) {
    pictures_.set_original(opened_->original());
    outbox.event({.job = 0, .what = ModelChanged{info_of(*opened_), opened_->history.current().receipt}});
    redraw(job, outbox);
  }

  /// What was asked for is done: pictures that are cancelled or fail must not call it cancelled or failed.
  void redraw(const Job& job, const Outbox& outbox) {
    try {
      pictures_.draw_or_warn(opened_->model(), opened_->tokenizer, outbox, job);
    } catch (const Cancelled&) {
      return;
    }
  }

  std::optional<OpenedModel> opened_;
  Pictures pictures_;
};

}  // namespace

std::unique_ptr<Engine> make_torch_engine(const EngineOptions& options) {
  return std::make_unique<TorchEngine>(options);
}

}  // namespace lathe
