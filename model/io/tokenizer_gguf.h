#pragma once

#include "model/io/gguf.h"
#include "model/io/tokenizer.h"

namespace lathe {

/// The tokenizer that the metadata of a GGUF file describes. Throws Error if a key is missing or of another type.
GgufVocabulary gguf_vocabulary(const GgufFile& file);

}  // namespace lathe
