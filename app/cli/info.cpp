#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/cli/commands.h"
#include "app/jobs/open.h"
#include "model/data/config.h"
#include "model/data/event_json.h"
#include "model/data/sizes.h"
#include "model/io/checkpoint.h"
#include "model/io/tokenizer.h"
#include "model/nn/match_tensors.h"

namespace lathe {
namespace {

const char* kind_of(const AttentionConfig& attention) { return attention.kind == AttentionKind::Mla ? "mla" : "gqa"; }
const char* kind_of(const FeedForwardConfig& feed_forward) {
  return feed_forward.kind == FeedForwardKind::Moe ? "moe" : "dense";
}

std::int64_t bytes_per_value(const std::string& dtype) { return dtype == "bf16" || dtype == "f16" ? 2 : 4; }

nlohmann::json layers_to_json(const ModelConfig& config) {
  nlohmann::json layers = nlohmann::json::array();
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    layers.push_back({{"layer", i},
                      {"attention", kind_of(layer.attention)},
                      {"feed_forward", kind_of(layer.feed_forward)},
                      {"attention_params", attention_params(config, layer.attention)},
                      {"feed_forward_params", feed_forward_params(config, layer.feed_forward)},
                      {"kv_values_per_token", kv_values_per_token(config, layer.attention)}});
  }
  return layers;
}

/// Null for weights that have no tokenizer beside them: their sizes can be told all the same.
nlohmann::json describe_tokenizer(const Checkpoint& checkpoint) {
  if (!has_tokenizer(checkpoint)) return nullptr;
  const Tokenizer tokenizer = load_tokenizer(checkpoint);
  return {{"vocab_size", tokenizer.vocab_size()}, {"chat", !tokenizer.chat_template().empty()}};
}

void print_tokenizer(const nlohmann::json& tokenizer) {
  if (tokenizer.is_null()) {
    std::printf("  tokenizer           none beside the weights\n");
  } else {
    std::printf("  tokenizer           %lld tokens%s\n", tokenizer.at("vocab_size").get<long long>(),
                tokenizer.at("chat").get<bool>() ? ", chat template" : "");
  }
}

struct InfoArguments {
  std::string model;
  bool tensors = false;
};

nlohmann::json tensors_to_json(const std::vector<TensorInfo>& tensors) {
  nlohmann::json list = nlohmann::json::array();
  for (const TensorInfo& tensor : tensors) {
    list.push_back({{"name", tensor.name},
                    {"shape", tensor.shape},
                    {"dtype", tensor.dtype},
                    {"bytes", tensor.bytes},
                    {"file", tensor.file},
                    {"state", name_of(tensor.state)}});
    if (tensor.state == TensorState::WrongShape) list.back()["expected_shape"] = tensor.expected_shape;
  }
  return list;
}

nlohmann::json names_in(const std::vector<TensorInfo>& tensors, TensorState state) {
  nlohmann::json names = nlohmann::json::array();
  for (const TensorInfo& tensor : tensors) {
    if (tensor.state == state) names.push_back(tensor.name);
  }
  return names;
}

nlohmann::json describe_model(const InfoArguments& asked, const CliOptions& options) {
  const std::string dtype = options.dtype == "auto" ? "f32" : options.dtype;
  const Checkpoint checkpoint = open_checkpoint(model_path(asked.model), {}, options.config);
  const ModelConfig config = config_from_json(checkpoint.config_json());
  const Sizes sizes = sizes_of(config);
  std::map<std::string, std::int64_t> types;
  for (const auto& [name, entry] : checkpoint.tensors()) ++types[std::string(type_name(entry.type))];
  const std::int64_t value_bytes = bytes_per_value(dtype);
  std::vector<std::string> warnings = checkpoint.warnings();
  const auto receipt = receipt_beside(checkpoint, config.num_layers(), warnings);
  nlohmann::json info{{"path", checkpoint.path().string()},
                      {"format", checkpoint.gguf() != nullptr ? "gguf" : "safetensors"},
                      {"config", config_to_json(config)},
                      {"params", sizes.params},
                      {"active_params", sizes.active_params},
                      {"stored_bytes", checkpoint.tensor_bytes()},
                      {"stored_dtypes", types},
                      {"dtype", dtype},
                      {"kv_bytes_per_token", sizes.kv_values_per_token * value_bytes},
                      {"load_bytes", sizes.params * value_bytes},
                      {"tokenizer", describe_tokenizer(checkpoint)},
                      {"layers", layers_to_json(config)},
                      {"warnings", warnings}};
  if (receipt) info["receipt"] = receipt_to_json(*receipt);
  if (asked.tensors) {
    const std::vector<TensorInfo> tensors = match_tensors(checkpoint);
    info["tensors"] = tensors_to_json(tensors);
    info["missing"] = names_in(tensors, TensorState::Missing);
    info["unexpected"] = names_in(tensors, TensorState::Unexpected);
    info["wrong_shape"] = names_in(tensors, TensorState::WrongShape);
  }
  return info;
}

/// Names first, as wide as the widest: every column is one word, for awk.
void print_tensors(const nlohmann::json& info) {
  std::size_t widest = 4;
  for (const auto& tensor : info.at("tensors")) {
    widest = std::max(widest, tensor.at("name").get_ref<const std::string&>().size());
  }
  const int width = static_cast<int>(widest);
  std::printf("\n  %-*s  %-18s  %-6s  %14s  %-11s  %s\n", width, "tensor", "shape", "dtype", "bytes", "state", "file");
  for (const auto& tensor : info.at("tensors")) {
    std::string state = tensor.at("state").get<std::string>();
    std::ranges::replace(state, ' ', '-');
    std::printf("  %-*s  %-18s  %-6s  %14lld  %-11s  %s\n", width,
                tensor.at("name").get_ref<const std::string&>().c_str(), tensor.at("shape").dump().c_str(),
                tensor.at("dtype").get_ref<const std::string&>().c_str(), tensor.at("bytes").get<long long>(),
                state.c_str(), tensor.at("file").get_ref<const std::string&>().c_str());
  }
  std::printf("\n  %zu tensors, %zu missing, %zu unexpected, %zu of wrong shape\n", info.at("tensors").size(),
              info.at("missing").size(), info.at("unexpected").size(), info.at("wrong_shape").size());
}

/// What was done to the model, from its receipt.
void print_conversion(const nlohmann::json& receipt) {
  const double loss = receipt.at("nll_after").get<double>() - receipt.at("nll_before").get<double>();
  std::printf("  converted           loss %+.4f on %lld held-out tokens\n", loss,
              receipt.at("eval_tokens").get<long long>());
  if (!receipt.contains("healing")) return;
  const auto& healing = receipt.at("healing");
  std::printf("  healed since        %lld steps, loss %.4f", healing.at("steps").get<long long>(),
              healing.at("nll").get<double>());
  if (healing.contains("nll_original")) std::printf(" (original %.4f)", healing.at("nll_original").get<double>());
  std::printf(" on held-out text of the training\n");
}

void print_text(const nlohmann::json& info) {
  const auto millions = [](const nlohmann::json& count) { return count.get<double>() / 1e6; };
  const auto& config = info.at("config");
  std::printf("%s\n", info.at("path").get<std::string>().c_str());
  std::printf("  format              %s, %.1f MB on disk\n", info.at("format").get<std::string>().c_str(),
              millions(info.at("stored_bytes")));
  std::printf("  parameters          %.2f M, %.2f M active per token\n", millions(info.at("params")),
              millions(info.at("active_params")));
  std::printf("  hidden_size         %lld\n", config.at("hidden_size").get<long long>());
  std::printf("  heads               %lld query, %lld key-value\n", config.at("num_attention_heads").get<long long>(),
              config.at("num_key_value_heads").get<long long>());
  print_tokenizer(info.at("tokenizer"));
  std::printf("  cache               %lld bytes per token (%s)\n", info.at("kv_bytes_per_token").get<long long>(),
              info.at("dtype").get<std::string>().c_str());
  std::printf("  memory to load      %.1f MB\n", millions(info.at("load_bytes")));
  if (info.contains("receipt")) print_conversion(info.at("receipt"));
  std::printf("\n");
  std::printf("  layer  attention  feed-forward     parameters  cache values/token\n");
  for (const auto& layer : info.at("layers")) {
    const long long params =
        layer.at("attention_params").get<long long>() + layer.at("feed_forward_params").get<long long>();
    std::printf("  %5lld  %-9s  %-12s  %13lld  %18lld\n", layer.at("layer").get<long long>(),
                layer.at("attention").get<std::string>().c_str(), layer.at("feed_forward").get<std::string>().c_str(),
                params, layer.at("kv_values_per_token").get<long long>());
  }
  if (info.contains("tensors")) print_tensors(info);
  for (const auto& warning : info.at("warnings")) std::printf("note: %s\n", warning.get<std::string>().c_str());
}

}  // namespace

void add_info(CLI::App& app, const CliOptions& options) {
  auto* command = add_command(
      app, "info", "Sizes, layers, tokenizer and memory of a model, without loading it",
      "lathe info default\nlathe info ~/models/Llama-3.2-1B --json --dtype bf16\nlathe info model.gguf --tensors");
  auto asked = std::make_shared<InfoArguments>();
  command->add_option("MODEL", asked->model, "Folder, file, 'default' or 'tiny'")->required();
  command->add_flag("--tensors", asked->tensors, "Also every tensor: shape, type, bytes, file, and what is missing");
  command->callback([asked, &options] {
    const nlohmann::json info = describe_model(*asked, options);
    options.json ? print_json(info) : print_text(info);
  });
}

}  // namespace lathe
