#pragma once

#include "model/data/command.h"
#include "model/data/job.h"
#include "model/data/model_preview.h"

namespace lathe {

class Checkpoint;

/// What the weights of this config need on each device of the machine in each dtype, exactly, and what is free there
/// now.
std::vector<MemoryChoice> memory_choices(const ModelConfig& config);

/// The tokenizer in a few words: "49152 tokens, chat template".
std::string describe_tokenizer(const Checkpoint& checkpoint);

/// "GGUF, Q4_1 + F32", "safetensors, BF16".
std::string format_of(const Checkpoint& checkpoint);

/// Reads and checks all headers of a model, and no weights. What is wrong with it becomes the refusal, beside all that
/// was found out until then. Throws Cancelled.
ModelPreview preview_model(const PreviewModel& ask, const Job& job);

}  // namespace lathe
