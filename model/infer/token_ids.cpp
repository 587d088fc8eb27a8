#include "model/infer/token_ids.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "model/data/error.h"

namespace lathe {

at::Tensor ids_tensor(const Model& model, std::span<const std::int32_t> ids) {
  at::Tensor ids_1T = at::empty({1, std::ssize(ids)}, at::kLong);
  std::ranges::copy(ids, ids_1T.mutable_data_ptr<std::int64_t>());
  return ids_1T.to(model.device());
}

void check_ids(const Model& model, std::span<const std::int32_t> ids, const char* what) {
  const ModelConfig& config = model.config;
  check(!ids.empty(), "[model] ", what, " has no token; write some text");
  check(std::ssize(ids) <= config.max_position_embeddings, "[model] ", what, " has ", ids.size(),
        " tokens; this model reads at most ", config.max_position_embeddings, "; shorten it");
  for (const std::int32_t id : ids) {
    check(id >= 0 && id < config.vocab_size, "[model] ", what, " has token id ", id,
          ", but the model's vocabulary has ", config.vocab_size, " entries; this is not its tokenizer");
  }
}

std::vector<TokenText> token_texts(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::vector<TokenText> texts;
  texts.reserve(ids.size());
  for (const std::int32_t id : ids) texts.push_back({id, tokenizer.token_text(id)});
  return texts;
}

}  // namespace lathe
