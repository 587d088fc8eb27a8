#include "tests/corpus/tiny_model.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace lathe {

using nlohmann::json;

void put_file(const std::filesystem::path& folder, const std::string& name, const std::string& content) {
  std::ofstream(folder / name, std::ios::binary) << content;
}

void put_tiny_model(const std::filesystem::path& folder) {
  constexpr int kHidden = 8, kIntermediate = 16, kVocab = 300;
  const json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_size", kHidden},
                       {"intermediate_size", kIntermediate},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"num_hidden_layers", 1},
                       {"max_position_embeddings", 64},
                       {"rms_norm_eps", 1e-5},
                       {"rope_theta", 10000.0},
                       {"tie_word_embeddings", true},
                       {"vocab_size", kVocab}};
  const std::string layer = "model.layers.0.";
  const std::vector<std::pair<std::string, std::vector<int>>> tensors{
      {"model.embed_tokens.weight", {kVocab, kHidden}},
      {layer + "self_attn.q_proj.weight", {kHidden, kHidden}},
      {layer + "self_attn.k_proj.weight", {kHidden / 2, kHidden}},
      {layer + "self_attn.v_proj.weight", {kHidden / 2, kHidden}},
      {layer + "self_attn.o_proj.weight", {kHidden, kHidden}},
      {layer + "mlp.gate_proj.weight", {kIntermediate, kHidden}},
      {layer + "mlp.up_proj.weight", {kIntermediate, kHidden}},
      {layer + "mlp.down_proj.weight", {kHidden, kIntermediate}},
      {layer + "input_layernorm.weight", {kHidden}},
      {layer + "post_attention_layernorm.weight", {kHidden}},
      {"model.norm.weight", {kHidden}}};
  json header = json::object();
  int end = 0;
  for (const auto& [name, shape] : tensors) {
    int bytes = 4;
    for (const int size : shape) bytes *= size;
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = text.size();
  std::string length(sizeof size, '\0');
  std::memcpy(length.data(), &size, sizeof size);
  put_file(folder, "config.json", config.dump());
  put_file(folder, "model.safetensors", length + text + std::string(static_cast<std::size_t>(end), '\0'));
}

}  // namespace lathe
