#pragma once

#include <cstdint>

#include "model/io/gguf_writer.h"
#include "model/io/tokenizer.h"

namespace lathe {

/// `tokenizer.ggml.*` and the chat template for a model with `vocab_size` rows of embeddings: byte-level BPE as "gpt2"
/// with the name of its pre-tokenizer, BPE on characters with byte fallback as "llama" with scores. Rows without a
/// token get "[PAD123]". Throws Error if llama.cpp has no such tokenizer: a guess would give wrong ids.
/// Source: llama.cpp conversion/base.py (_set_vocab_gpt2, _set_vocab_llama_hf) and gguf-py vocab.py.
GgufFields gguf_tokenizer_fields(const TokenizerFiles& files, std::int64_t vocab_size);

}  // namespace lathe
