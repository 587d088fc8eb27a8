#pragma once

#include "views/actions.h"

namespace lathe {

/// Why the action cannot run now, in a sentence that says what to do; null if it can. Valid until the session or the UI
/// state changes.
const char* why_not_convert(const ActionContext& context);
const char* why_not_train(const ActionContext& context);
const char* why_not_export(const ActionContext& context);
/// Why the model in the Open dialog cannot be opened; empty if it can.
std::string why_not_open(const ActionContext& context);
const char* why_not_write(const ActionContext& context);

/// The model as it was before any conversion is in memory, for comparison and as teacher: not so for one that was
/// converted, saved and opened again.
bool original_is_resident(const ModelInfo& model);

}  // namespace lathe
