#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "app/jobs/opened_model.h"
#include "model/data/command.h"
#include "model/data/job.h"
#include "model/io/dtype.h"

namespace lathe {

/// All forms that a model can leave in: those of stock_classes.h, then "gguf-f32", "gguf-f16", "gguf-bf16", "gguf-q8_0"
/// and "gguf-q4_0".
std::vector<ExportTarget> all_export_targets(const ModelConfig& config);

/// How matrices are stored by that form, or nothing if it is not one of GGUF.
std::optional<StoredType> gguf_type_of(std::string_view form);

/// Writes the file beside its place, reads it back, compares the logits and only then puts it there. Logits of
/// quantised files are reported, not judged. Throws Error, Cancelled; the file that was there then still is.
Exported export_gguf(const OpenedModel& opened, const ExportModel& what, const Job& job);

}  // namespace lathe
