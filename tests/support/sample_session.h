#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/data/session.h"

namespace lathe {

/// Sessions as an engine would make them, for tests of views: built by reduce() of events with the shapes of a real
/// model. The numbers in them are made up and belong to tests alone.

/// SmolLM2-135M's sizes with `layers` layers, all GQA and dense.
ModelConfig sample_config(std::int64_t layers = 30);

/// MLA on even layers of the middle, MoE on four others: the shape of the tour's recipe.
ConversionPlan sample_plan();

Session empty_session();
Session opened_session(std::int64_t layers = 30);
/// opened_session() while the first `layers_done` parts of sample_plan() are converted.
Session converting_session(int parts_done);
/// opened_session() after sample_plan() was carried out, with its receipt.
Session converted_session();
/// converted_session() after `steps` training steps; the run goes on if `running`.
Session trained_session(std::int64_t steps, bool running = false);
/// trained_session() with writing, pictures, a log and a few jobs: every view has something to draw.
Session full_session();
/// A model that failed to open, and a job that failed later.
Session failed_session();

/// What the Open dialog shows of an eight-billion model on a machine with 24 GB free; refused if it has a tensor too
/// few.
ModelPreview sample_preview(const std::string& path, bool refused = false);
/// A form that fits, another one, and one that does not.
std::vector<ExportTarget> sample_export_targets();
/// opened_session() with a list of its tensors and a picture of the first projection.
Session tensor_session();

AttentionMap sample_attention(std::int64_t tokens, std::int64_t side);

}  // namespace lathe
