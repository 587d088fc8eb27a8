#include "app/jobs/convert.h"

#include "app/assets.h"
#include "converters/calibration.h"
#include "model/io/dataset.h"
#include "model/train/text_batches.h"

namespace lathe {
ConvertInputs calibration_inputs(const OpenedModel& opened, const Calibration& calibration, const Job& job) {
  job.progress("Reading calibration text", "files", 0, 1);
  const Dataset dataset = read_dataset(text_path(calibration.text, assets_folder()));
  const auto ids = opened.tokenizer.encode(dataset.text, {.add_special_tokens = false});
  CalibrationWindows windows = calibration_windows(ids, calibration);
  return {.calibration_ids_BT = windows.calibration_ids_BT.to(opened.model().device()),
          .held_out_ids_BT = windows.held_out_ids_BT.to(opened.model().device()),
          .calibration_sha256 = dataset.sha256,
          .code_version = code_version(),
          .on_layer = {}};
}

Revision convert_opened_model(const OpenedModel& opened, const Convert& command, const Job& job, const Outbox& outbox) {
  ConvertInputs inputs = calibration_inputs(opened, command.plan.calibration, job);
  inputs.on_layer = [&outbox](const LayerReceipt& receipt, const Model& model) {
    const LayerConfig& config = model.config.layers[static_cast<std::size_t>(receipt.layer)];
    outbox.event({.job = 0, .what = LayerConverted{receipt, config}});
  };
  Conversion conversion = convert(opened.model(), command.plan, inputs, job);
  Revision revision{.model = std::move(conversion.model), .sha256 = conversion.receipt.model_sha256, .receipt = {}};
  revision.receipt = receipt_after(opened.history.current().receipt, std::move(conversion.receipt));
  return revision;
}

}  // namespace lathe
