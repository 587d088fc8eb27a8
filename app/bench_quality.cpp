#include "app/bench_quality.h"

#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/jobs/convert.h"
#include "app/jobs/open.h"
#include "converters/convert.h"
#include "converters/recipes.h"
#include "model/data/sizes.h"
#include "model/infer/evaluate.h"
#include "model/io/dataset.h"

namespace lathe {
namespace {

/// A plan that does not fit the model is found before the first hour of work.
std::vector<ConversionPlan> plans_for(const QualityBenchOptions& options, const ModelConfig& config) {
  std::vector<ConversionPlan> plans;
  for (const std::string& name : options.plans) {
    ConversionPlan plan = load_plan(name, assets_folder() / "recipes");
    if (!options.calibrate.empty()) plan.calibration.text = options.calibrate;
    try {
      planned_config(plan, config);
    } catch (const Error& error) {
      throw Error(text("[bench] plan ", name, ": ", error.what()));
    }
    if (plan.name.empty()) plan.name = name;
    plans.push_back(std::move(plan));
  }
  return plans;
}

/// A job whose stage is the plan: what happens within it is its bar alone.
Job part_of(const Job& job, const std::string& stage) {
  return Job({}, [&job, stage](const Progress& progress) {
    job.progress(stage, progress.unit, progress.done, progress.total);
  });
}

}  // namespace

nlohmann::json quality_row_to_json(const QualityRow& row) {
  return {{"plan", row.plan},
          {"nll", row.nll},
          {"ppl", row.ppl},
          {"kv_values_per_token", row.kv_values_per_token},
          {"active_params", row.active_params},
          {"seconds", row.seconds}};
}

void run_quality_bench(const QualityBenchOptions& options, const std::function<void(const QualityRow&)>& on_row,
                       const Job& job) {
  const OpenedModel opened = open_model(
      {.path = model_path(options.model), .device = options.device, .dtype = options.dtype, .config = options.config},
      job);
  const std::vector<ConversionPlan> plans = plans_for(options, opened.model().config);
  const auto ids = opened.tokenizer.encode(read_dataset(options.text).text, {.add_special_tokens = false});
  const auto report = [&](const Model& model, const std::string& plan, double seconds) {
    const Evaluated loss =
        evaluate(model, ids, {.window = options.window, .windows = options.windows}, part_of(job, plan + ": loss"));
    const Sizes sizes = sizes_of(model.config);
    on_row({plan, loss.nll, loss.ppl, sizes.kv_values_per_token, sizes.active_params, seconds});
  };
  report(opened.model(), kDense, 0.0);
  for (const ConversionPlan& plan : plans) {
    const Job part = part_of(job, plan.name + ": conversion");
    const Conversion conversion =
        convert(opened.model(), plan, calibration_inputs(opened, plan.calibration, part), part);
    report(conversion.model, plan.name, conversion.receipt.seconds);
  }
}

}  // namespace lathe
