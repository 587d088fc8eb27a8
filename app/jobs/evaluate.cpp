#include "app/jobs/evaluate.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/open.h"
#include "model/infer/evaluate.h"
#include "model/io/atomic_file.h"
#include "model/io/dataset.h"
#include "model/train/text_batches.h"

namespace lathe {
namespace {

/// One line of the per-token file.
std::string line_of(const TokenLoss& loss) {
  const nlohmann::json json{{"window", loss.window}, {"position", loss.position}, {"id", loss.id}, {"nll", loss.nll}};
  return json.dump() + "\n";
}

OpenedModel open_beside(const OpenedModel& opened, const std::string& path, const Job& job) {
  const Model& model = opened.model();
  return open_model({.path = path, .device = model.device().str(), .dtype = dtype_name(model.dtype())}, job);
}

}  // namespace

Evaluated evaluate_opened(const OpenedModel& opened, const Evaluate& command, const Job& job) {
  const Dataset dataset = read_dataset(text_path(command.text, assets_folder()));
  const auto ids = opened.tokenizer.encode(dataset.text, {.add_special_tokens = false});

  std::optional<OpenedModel> other;
  if (!command.against.empty() && command.against != "original") other = open_beside(opened, command.against, job);
  EvaluateOptions options{.window = command.window, .windows = command.windows};
  if (command.against == "original") options.against = &opened.original();
  if (other) options.against = &other->model();
  if (options.against != nullptr) {
    check(options.against->config.vocab_size == opened.model().config.vocab_size,
          "the two models have different vocabularies; got ", opened.model().config.vocab_size, " and ",
          options.against->config.vocab_size, " tokens; compare models with one tokenizer");
  }

  std::string lines;
  if (!command.per_token_file.empty()) options.on_token = [&lines](const TokenLoss& loss) { lines += line_of(loss); };
  const Evaluated evaluated = evaluate(opened.model(), ids, options, job);
  if (!command.per_token_file.empty()) write_file(command.per_token_file, lines);
  return evaluated;
}

}  // namespace lathe
