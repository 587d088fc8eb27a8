#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/corpus/bad_file.h"
#include "tests/io/byte_builder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

void write(const fs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

json good_config() {
  return json::parse(R"({"model_type":"llama","vocab_size":32,"hidden_size":16,"intermediate_size":32,
    "num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"torch_dtype":"bfloat16"})");
}

/// A file of U8 tensors, each of one byte.
std::string shard(const std::vector<std::string>& names) {
  json header = json::object();
  for (std::size_t i = 0; i < names.size(); ++i) {
    header[names[i]] = {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {i, i + 1}}};
  }
  return safetensors_bytes(header.dump(), std::string(names.size(), '\7'));
}

BadFile with_config(const std::string& name, const std::string& config, std::optional<ErrorCode> expected) {
  const auto write_folder = [config](const fs::path& folder) {
    write(folder / "config.json", config);
    write(folder / "model.safetensors", shard({"a"}));
  };
  return {.name = "config/" + name, .write = write_folder, .opened = "", .expected = expected};
}

/// Made only when it is written: every test program lists the whole corpus.
BadFile large_config() {
  const auto write_folder = [](const fs::path& folder) {
    write(folder / "config.json", good_config().dump() + std::string(std::size_t{64} << 20, ' '));
    write(folder / "model.safetensors", shard({"a"}));
  };
  return {.name = "config/02_64_megabytes", .write = write_folder, .opened = "", .expected = ErrorCode::Limit};
}

std::vector<BadFile> json_level() {
  std::string utf16 = "\xff\xfe";
  for (const char c : good_config().dump()) utf16 += {c, '\0'};
  const std::string good = good_config().dump();
  return {
      with_config("00_ok", good, kOpens),
      with_config("01_depth_100k", std::string(100'000, '['), ErrorCode::Limit),
      large_config(),
      with_config("03_duplicate_key", R"({"hidden_size":16,"hidden_size":32})", ErrorCode::DuplicateKey),
      with_config("04_byte_order_mark", "\xef\xbb\xbf" + good, ErrorCode::Json),
      with_config("05_nul", good + '\0', ErrorCode::Json),
      with_config("06_utf16", utf16, ErrorCode::Utf8),
      with_config("07_comments", "{/*x*/}", ErrorCode::Json),
      with_config("08_nan", R"({"rope_theta":NaN})", ErrorCode::Json),
      with_config("09_1e400", R"({"rope_theta":1e400})", ErrorCode::Json),
      with_config("10_lone_surrogate", R"({"model_type":"\ud800"})", ErrorCode::Json),
      with_config("11_empty", "", ErrorCode::Json),
      with_config("12_array", "[]", ErrorCode::Schema),
  };
}

std::vector<BadFile> values() {
  std::vector<BadFile> cases;
  const auto add = [&](const std::string& name, const char* key, const json& value, std::optional<ErrorCode> expected) {
    json config = good_config();
    config[key] = value;
    cases.push_back(with_config(name, config.dump(), expected));
  };
  const auto config_error = ErrorCode::Config;
  add("20_hidden_size_negative", "hidden_size", -1, config_error);
  add("21_hidden_size_0", "hidden_size", 0, config_error);
  add("22_hidden_size_float", "hidden_size", 2.5, ErrorCode::Schema);
  add("23_hidden_size_string", "hidden_size", "4096", ErrorCode::Schema);
  add("24_hidden_size_2p31", "hidden_size", std::int64_t{1} << 31, config_error);
  add("25_hidden_size_1e18", "hidden_size", std::int64_t{1'000'000'000'000'000'000}, config_error);
  add("26_heads_0", "num_attention_heads", 0, config_error);
  add("27_heads_not_dividing", "num_attention_heads", 6, config_error);
  add("28_kv_heads_not_dividing", "num_key_value_heads", 3, config_error);
  add("29_layers_0", "num_hidden_layers", 0, config_error);
  add("30_layers_1e9", "num_hidden_layers", 1'000'000'000, config_error);
  add("31_vocab_0", "vocab_size", 0, config_error);
  add("32_vocab_1e12", "vocab_size", std::int64_t{1'000'000'000'000}, config_error);
  add("33_head_dim_0", "head_dim", 0, config_error);
  add("34_rope_theta_0", "rope_theta", 0, config_error);
  add("35_rope_theta_negative", "rope_theta", -1.0, config_error);
  add("36_rope_scaling_unknown", "rope_scaling", {{"rope_type", "warp"}, {"factor", 2.0}}, config_error);
  add("37_rope_scaling_without_factor", "rope_scaling", {{"rope_type", "linear"}}, ErrorCode::Schema);
  add("38_model_type_unknown", "model_type", "gemma3", config_error);
  add("39_tied_string", "tie_word_embeddings", "yes", ErrorCode::Schema);
  add("40_quantised", "quantization_config", {{"quant_method", "gptq"}}, config_error);
  add("41_auto_map", "auto_map", {{"AutoModel", "evil.Model"}}, kOpens);
  const auto add_layer = [&](const std::string& name, const char* part, const json& value) {
    json config = good_config();
    config["model_type"] = "lathe";
    config["layers"] = {{{part, value}}};
    cases.push_back(with_config(name, config.dump(), config_error));
  };
  add_layer("42_experts_0", "feed_forward",
            {{"kind", "moe"}, {"num_experts", 0}, {"num_experts_per_tok", 1}, {"moe_intermediate_size", 8}});
  add_layer("43_top_k_above_experts", "feed_forward",
            {{"kind", "moe"},
             {"num_experts", 2},
             {"num_experts_per_tok", 3},
             {"moe_intermediate_size", 8},
             {"router", "softmax"}});
  add_layer("44_mla_pair_outside", "attention",
            {{"kind", "mla"},
             {"kv_lora_rank", 8},
             {"qk_nope_head_dim", 4},
             {"qk_rope_head_dim", 2},
             {"v_head_dim", 4},
             {"rope_pairs", {2}}});
  return cases;
}

constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";

/// Two shards, a in the first and b in the second, and an index; `change` then spoils it.
BadFile sharded(const std::string& name, std::function<void(const fs::path&)> change,
                std::optional<ErrorCode> expected) {
  const auto write_folder = [change = std::move(change)](const fs::path& folder) {
    write(folder / "config.json", good_config().dump());
    write(folder / kFirst, shard({"a"}));
    write(folder / kSecond, shard({"b"}));
    const json index{{"metadata", {{"total_size", 2}}}, {"weight_map", {{"a", kFirst}, {"b", kSecond}}}};
    write(folder / "model.safetensors.index.json", index.dump());
    change(folder);
  };
  return {.name = "index/" + name, .write = write_folder, .opened = "", .expected = expected};
}

BadFile indexed(const std::string& name, const json& weight_map, std::optional<ErrorCode> expected) {
  return sharded(
      name,
      [weight_map](const fs::path& folder) {
        write(folder / "model.safetensors.index.json", json{{"weight_map", weight_map}}.dump());
      },
      expected);
}

std::vector<BadFile> index_names() {
  std::vector<BadFile> cases;
  const std::vector<std::pair<const char*, std::string>> outside{
      {"50_parent", "../x.safetensors"},
      {"51_absolute", "/etc/passwd"},
      {"52_folder", "a/b.safetensors"},
      {"53_backslash", "..\\x.safetensors"},
      {"54_empty", ""},
      {"55_nul", std::string("a\0.safetensors", 14)},
      {"56_300_characters", std::string(300, 'x') + ".safetensors"},
      {"57_dots", ".."}};
  for (const auto& [name, shard_name] : outside) {
    cases.push_back(indexed(name, {{"a", shard_name}}, ErrorCode::Path));
  }
  cases.push_back(sharded(
      "58_100000_shards",
      [](const fs::path& folder) {
        json many = json::object();
        for (int i = 0; i < 100'000; ++i) many[std::to_string(i)] = std::to_string(i) + ".safetensors";
        write(folder / "model.safetensors.index.json", json{{"weight_map", many}}.dump());
      },
      ErrorCode::Limit));
  cases.push_back(indexed("59_itself", {{"a", "model.safetensors.index.json"}}, ErrorCode::Shard));
  cases.push_back(indexed("60_missing_shard", {{"a", kFirst}, {"b", "x.safetensors"}}, ErrorCode::Shard));
  cases.push_back(indexed("61_tensor_not_there", {{"a", kFirst}, {"c", kSecond}}, ErrorCode::Shard));
  cases.push_back(indexed("62_tensor_elsewhere", {{"a", kSecond}, {"b", kFirst}}, ErrorCode::Shard));
  cases.push_back(indexed("63_no_tensors", json::object(), ErrorCode::Schema));
  cases.push_back(indexed("64_not_a_map", json::array(), ErrorCode::Schema));
  cases.push_back(indexed("65_number_for_name", {{"a", 1}}, ErrorCode::Schema));
  return cases;
}

std::vector<BadFile> folders() {
  const auto replaced = [](auto make) {
    return [make](const fs::path& folder) {
      fs::remove(folder / kSecond);
      make(folder / kSecond);
    };
  };
  return {
      sharded(
          "70_ok", [](const fs::path&) {}, kOpens),
      sharded("71_link_out", replaced([](const fs::path& path) { fs::create_symlink("/etc/passwd", path); }),
              ErrorCode::Path),
      sharded("72_link_loop", replaced([](const fs::path& path) { fs::create_symlink(path.filename(), path); }),
              ErrorCode::Io),
      sharded(
          "73_link_inside",
          [](const fs::path& folder) {
            fs::rename(folder / kSecond, folder / "b.bytes");
            fs::create_symlink("b.bytes", folder / kSecond);
          },
          kOpens),
      sharded("74_pipe", replaced([](const fs::path& path) { ::mkfifo(path.c_str(), 0600); }), ErrorCode::NotRegular),
      sharded("75_folder_for_shard", replaced([](const fs::path& path) { fs::create_directory(path); }),
              ErrorCode::NotRegular),
      sharded(
          "76_shard_cut", [](const fs::path& folder) { fs::resize_file(folder / kSecond, 60); }, ErrorCode::Truncated),
      sharded(
          "77_tensor_not_in_index",
          [](const fs::path& folder) {
            write(folder / kSecond, shard({"b", "c"}));
          },
          kOpens),
      sharded(
          "78_tensor_in_two_shards",
          [](const fs::path& folder) {
            write(folder / kSecond, shard({"a", "b"}));
          },
          ErrorCode::Shard),
      sharded(
          "79_file_and_index", [](const fs::path& folder) { write(folder / "model.safetensors", shard({"a"})); },
          kOpens),
      sharded(
          "80_case_only", [](const fs::path& folder) { write(folder / "MODEL.safetensors", shard({"a"})); }, kOpens),
      sharded(
          "81_no_config", [](const fs::path& folder) { fs::remove(folder / "config.json"); }, ErrorCode::Config),
      sharded(
          "82_config_is_a_folder",
          [](const fs::path& folder) {
            fs::remove(folder / "config.json");
            fs::create_directory(folder / "config.json");
          },
          ErrorCode::NotRegular),
      sharded(
          "83_config_links_out",
          [](const fs::path& folder) {
            fs::remove(folder / "config.json");
            fs::create_symlink("/etc/passwd", folder / "config.json");
          },
          ErrorCode::Path),
      {.name = "index/84_empty_folder",
       .write = [](const fs::path& folder) { fs::create_directory(folder / "model"); },
       .opened = "model",
       .expected = ErrorCode::Config},
      {.name = "index/85_nothing_there", .write = [](const fs::path&) {}, .opened = "gone", .expected = ErrorCode::Io},
      {.name = "index/86_two_files_no_index",
       .write =
           [](const fs::path& folder) {
             write(folder / "config.json", good_config().dump());
             write(folder / "a.safetensors", shard({"a"}));
             write(folder / "b.safetensors", shard({"b"}));
           },
       .opened = "",
       .expected = ErrorCode::Shard},
      one_file("index/87_text_file", "notes.txt", "hello", ErrorCode::WrongFormat),
  };
}

}  // namespace

std::vector<BadFile> config_corpus() {
  std::vector<BadFile> corpus;
  for (const auto& cases : {json_level(), values(), index_names(), folders()}) {
    corpus.insert(corpus.end(), cases.begin(), cases.end());
  }
  return corpus;
}

}  // namespace lathe
