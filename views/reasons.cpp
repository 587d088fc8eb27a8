#include "views/reasons.h"

#include <algorithm>

#include "views/trainable.h"

namespace lathe {
namespace {

constexpr const char* kNoModel = "Open a model first";
constexpr const char* kBusy = "Another job runs; wait for it or cancel it";

const char* why_nothing_trains(Trainable trainable) {
  switch (trainable) {
    case Trainable::Converted:
      return "No layer is converted yet: convert some, or choose Everything in the Training panel";
    case Trainable::Routers:
    case Trainable::Experts:
      return "No layer has experts yet: convert one to MoE, or choose other weights in the Training panel";
    case Trainable::Attention:
      return "No layer is MLA yet: convert one, or choose other weights in the Training panel";
    case Trainable::All:
      break;
  }
  return "The model has no weights to train";
}

}  // namespace

const char* why_not_convert(const ActionContext& context) {
  if (!context.session.model) return kNoModel;
  if (context.ui.plan.plan().empty()) return "Plan a layer first: select it on the board and press M or E";
  const Prediction& prediction = context.ui.prediction;
  if (!prediction.problems.empty()) return prediction.problems.front().c_str();
  return is_busy(context.session) ? kBusy : nullptr;
}

const char* why_not_train(const ActionContext& context) {
  if (!context.session.model) return kNoModel;
  if (is_busy(context.session)) return kBusy;
  const TrainSettings& settings = context.ui.train;
  if (trainable_params(context.session.model->config, settings.trainable) == 0)
    return why_nothing_trains(settings.trainable);
  return train_problems(settings).empty() ? nullptr : "A setting of the run is out of range; see the Training panel";
}

const char* why_not_write(const ActionContext& context) {
  if (!context.session.model) return kNoModel;
  if (is_busy(context.session)) return kBusy;
  const GenerateSettings& settings = context.ui.generate;
  if (settings.prompt.empty() && !context.session.model->config.bos_token_id)
    return "Type a prompt first: this model has no token that begins a text";
  return generate_problems(settings).empty() ? nullptr : "A sampling setting is out of range; see the Generate panel";
}

const char* why_not_export(const ActionContext& context) {
  if (!context.session.model) return kNoModel;
  if (is_busy(context.session)) return kBusy;
  const auto& targets = context.session.model->export_targets;
  const auto chosen = std::ranges::find(targets, context.ui.export_form.form, &ExportTarget::name);
  if (chosen == targets.end()) return "Choose a form";
  return chosen->refusal ? "The model does not fit this form: choose one that says Yes" : nullptr;
}

std::string why_not_open(const ActionContext& context) {
  const OpenForm& form = context.ui.open;
  const auto& preview = context.session.preview;
  if (form.path.empty()) return "Choose a model first";
  if (!form.is_asked() || !preview || !form.is_answered_by(*preview)) return "Its files are being looked at";
  if (preview->refusal) return "It cannot be opened: see above";
  const auto refusal = memory_refusal(preview->memory, chosen(preview->memory, form.device, form.dtype), form.path);
  return refusal ? "It does not fit: " + refusal->hint : std::string();
}

bool original_is_resident(const ModelInfo& model) {
  if (!model.undo.empty()) return true;
  return std::ranges::none_of(model.config.layers, [](const LayerConfig& layer) {
    return layer.attention.kind == AttentionKind::Mla || layer.feed_forward.kind == FeedForwardKind::Moe;
  });
}

}  // namespace lathe
