#include <nlohmann/json.hpp>

#include "tests/corpus/bad_file.h"
#include "tests/corpus/tiny_model.h"

namespace lathe {

namespace {

using nlohmann::json;
using Change = std::function<void(json&)>;
using Expected = std::optional<ErrorCode>;

constexpr auto kBad = ErrorCode::Tokenizer;
constexpr Expected kOpens = std::nullopt;

/// A small byte-level tokenizer that is right: letters, two merges, two special tokens.
json good() {
  json vocab = json::object();
  for (char letter = 'a'; letter <= 'z'; ++letter) vocab[std::string(1, letter)] = vocab.size();
  for (const char* token : {"Ġ", "ab", "Ġa"}) vocab[token] = vocab.size();
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  json added = json::array();
  for (const char* token : {"<s>", "</s>"}) {
    added.push_back({{"id", 29 + added.size()}, {"content", token}, {"special", true}, {"normalized", false}});
  }
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", json::array({"Ġ", "a"})}}}}};
}

BadFile with_files(const std::string& name, std::vector<std::pair<std::string, std::string>> files, Expected expected) {
  const auto write = [files = std::move(files)](const std::filesystem::path& folder) {
    put_tiny_model(folder);
    for (const auto& [file, content] : files) put_file(folder, file, content);
  };
  return {.name = "tokenizer/" + name, .write = write, .opened = "", .expected = expected};
}

BadFile with_json(const std::string& name, const std::string& text, Expected expected) {
  return with_files(name, {{"tokenizer.json", text}}, expected);
}

BadFile changed(const std::string& name, const Change& change, Expected expected) {
  const auto write = [change](const std::filesystem::path& folder) {
    put_tiny_model(folder);
    json file = good();
    change(file);
    put_file(folder, "tokenizer.json", file.dump());
  };
  return {.name = "tokenizer/" + name, .write = write, .opened = "", .expected = expected};
}

BadFile with_config(const std::string& name, const std::string& file, const std::string& content, Expected expected) {
  return with_files(name, {{"tokenizer.json", good().dump()}, {file, content}}, expected);
}

json added(std::int64_t id, const std::string& content) {
  return {{"id", id}, {"content", content}, {"special", true}, {"normalized", false}};
}

Change adds(std::int64_t id, const std::string& content) {
  return [=](json& t) { t["added_tokens"].push_back(added(id, content)); };
}

Change has_token(const std::string& token, const json& id) {
  return [=](json& t) { t["model"]["vocab"][token] = id; };
}

Change first_merge(const json& merge) {
  return [=](json& t) { t["model"]["merges"][0] = merge; };
}

Change sets(const std::string& key, const json& value) {
  return [=](json& t) { t[key] = value; };
}

Change sets_model(const std::string& key, const json& value) {
  return [=](json& t) { t["model"][key] = value; };
}

Change splits_at(const std::string& pattern, const std::string& behavior = "Isolated") {
  const json split = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}};
  const json bytes = {{"type", "ByteLevel"}, {"use_regex", false}};
  return sets("pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}});
}

json repeated(const json& value, std::size_t times) { return json(std::vector<json>(times, value)); }

std::vector<BadFile> of_the_text() {
  std::string twice = good().dump();
  twice.insert(twice.find("\"a\":"), "\"a\":0,");
  return {with_json("01_empty", "", ErrorCode::Json),
          with_json("02_not_an_object", "[1]", ErrorCode::Schema),
          with_json("03_cut", good().dump().substr(0, 200), ErrorCode::Json),
          with_json("04_byte_order_mark", "\xEF\xBB\xBF" + good().dump(), ErrorCode::Json),
          with_json("05_token_twice", twice, ErrorCode::DuplicateKey),
          with_json("06_deep", std::string(100'000, '['), ErrorCode::Limit),
          with_json("07_not_utf8", "{\"version\": \"\xFF\"}", ErrorCode::Utf8),
          with_files("08_no_tokenizer", {}, kBad)};
}

std::vector<BadFile> of_the_vocabulary() {
  return {changed(
              "10_no_model", [](json& t) { t.erase("model"); }, ErrorCode::Schema),
          changed("11_model_a_list", sets("model", json::array()), ErrorCode::Schema),
          changed("12_unigram", sets_model("type", "Unigram"), kBad),
          changed("13_wordpiece", sets_model("type", "WordPiece"), kBad),
          changed(
              "14_no_vocab", [](json& t) { t["model"].erase("vocab"); }, kBad),
          changed("15_empty_vocab", sets_model("vocab", json::object()), kBad),
          changed("16_vocab_a_list", sets_model("vocab", json{1, 2}), kBad),
          changed("17_id_twice", has_token("zzz", 5), ErrorCode::DuplicateKey),
          changed("18_id_negative", has_token("zzz", -1), kBad),
          changed("19_id_2_to_the_31", has_token("zzz", 2147483648), kBad),
          changed("20_id_2_to_the_64", has_token("zzz", 18446744073709551615U), kBad),
          changed("21_id_a_fraction", has_token("zzz", 2.5), kBad),
          changed("22_id_a_string", has_token("zzz", "7"), kBad),
          changed("23_id_far_away", has_token("zzz", 3'000'000), kBad),
          changed(
              "24_id_behind_a_gap", [](json& t) { t["added_tokens"].clear(), has_token("zzz", 100)(t); }, kOpens),
          changed(
              "25_token_of_10_mb", [](json& t) { has_token(std::string(10 << 20, 'x'), 31)(t); }, ErrorCode::Limit),
          changed("26_unknown_token_missing", sets_model("unk_token", "<no>"), kBad),
          changed("27_dropout", sets_model("dropout", 0.1), kBad),
          changed("28_dropout_a_string", sets_model("dropout", "0.1"), ErrorCode::Schema),
          changed("29_prefix", sets_model("continuing_subword_prefix", "##"), kBad),
          changed("30_suffix", sets_model("end_of_word_suffix", "</w>"), kBad),
          changed("31_ignore_merges_a_number", sets_model("ignore_merges", 1), ErrorCode::Schema),
          changed("32_byte_fallback_without_bytes", sets_model("byte_fallback", true), kBad),
          changed(
              "33_odd_byte_tokens",
              [](json& t) {
                t["added_tokens"].clear();
                for (const char* token : {"<0x-1>", "<0xZZ>", "<0x100>"})
                  t["model"]["vocab"][token] = t["model"]["vocab"].size();
              },
              kOpens)};
}

std::vector<BadFile> of_the_merges() {
  return {changed(
              "40_no_merges", [](json& t) { t["model"].erase("merges"); }, kBad),
          changed("41_merge_of_one", first_merge("a"), kBad),
          changed("42_merge_of_three", first_merge("a b c"), kBad),
          changed("43_merge_list_of_three", first_merge({"a", "b", "c"}), kBad),
          changed("44_merge_of_numbers", first_merge({1, 2}), kBad),
          changed("45_merge_of_unknown", first_merge({"a", "no such"}), kBad),
          changed("46_merge_into_unknown", first_merge({"q", "q"}), kBad),
          changed(
              "47_merge_twice", [](json& t) { t["model"]["merges"].push_back("a b"); }, kOpens),
          changed(
              "48_million_merges", [](json& t) { t["model"]["merges"] = repeated("a b", 1'000'000); }, kOpens)};
}

std::vector<BadFile> of_added_tokens() {
  return {changed("50_added_no_list", sets("added_tokens", 3), ErrorCode::Schema),
          changed("51_added_without_content", adds(31, ""), kBad),
          changed("52_added_twice", adds(29, "<s>"), ErrorCode::DuplicateKey),
          changed("53_added_id_outside", adds(5000, "<x>"), kBad),
          changed("54_added_id_negative", adds(-1, "<x>"), kBad),
          changed("55_added_id_of_another", adds(7, "<x>"), kBad),
          changed("56_added_like_a_regex", adds(31, "(a+)+$"), kOpens),
          changed(
              "57_added_overlapping", [](json& t) { adds(31, "aa")(t), adds(32, "aaa")(t); }, kOpens)};
}

std::vector<BadFile> of_the_stages() {
  const json step = {{"type", "Replace"}, {"pattern", {{"Regex", "(a+)+$"}}}, {"content", ""}};
  const json charsmap = {{"type", "Precompiled"}, {"precompiled_charsmap", "AAA"}};
  const json inside = {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}};
  const json after = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}};
  return {changed("60_normalizer_unknown", sets("normalizer", {{"type", "Lowercase"}}), kBad),
          changed("61_normalizer_inside", sets("normalizer", inside), kBad),
          changed("62_normalizer_regex", sets("normalizer", step), kBad),
          changed("63_normalizer_charsmap", sets("normalizer", charsmap), kBad),
          changed("64_pre_tokenizer_none", sets("pre_tokenizer", nullptr), kBad),
          changed("65_pre_tokenizer_unknown", sets("pre_tokenizer", {{"type", "Whitespace"}}), kBad),
          changed("66_pre_tokenizer_after_bytes", sets("pre_tokenizer", after), kBad),
          changed(
              "67_flag_a_string", [](json& t) { t["pre_tokenizer"]["use_regex"] = "yes"; }, ErrorCode::Schema),
          changed("68_metaspace_before_bytes", sets("pre_tokenizer", {{"type", "Metaspace"}}), kBad),
          changed("69_decoder_none", sets("decoder", nullptr), kBad),
          changed("70_decoder_unknown", sets("decoder", {{"type", "WordPiece"}}), kBad),
          changed("71_processor_unknown", sets("post_processor", {{"type", "BertProcessing"}}), kBad)};
}

std::vector<BadFile> of_patterns() {
  return {changed("80_pattern_behavior", splits_at("a", "Sideways"), kBad),
          changed("81_pattern_broken", splits_at("(a"), ErrorCode::Regex),
          changed("82_pattern_of_1_mb", splits_at(std::string(1 << 20, 'a')), ErrorCode::Regex),
          changed("83_pattern_lookbehind", splits_at("(?<=a+)b"), ErrorCode::Regex),
          changed("84_pattern_catastrophic", splits_at("(a+)+b"), kOpens),
          changed("85_pattern_recursive", splits_at("(?R)?a"), ErrorCode::Regex),
          changed("86_pattern_backreference", splits_at("(a*)*\\1b"), kOpens),
          changed(
              "87_pattern_empty",
              [](json& t) {
                splits_at("")(t);
                t["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {{"String", ""}};
              },
              kBad)};
}

std::vector<BadFile> of_templates() {
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json token = {{"SpecialToken", {{"id", "x"}, {"type_id", 0}}}};
  const auto framed = [](const json& single, const json& special) {
    return sets("post_processor", {{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}});
  };
  return {changed("90_template_id_outside", framed({token, text}, {{"x", {{"ids", {9999}}}}}), kBad),
          changed("91_template_id_unnamed", framed({token, text}, json::object()), ErrorCode::Schema),
          changed("92_template_without_text", framed(json::array({token}), {{"x", {{"ids", {1}}}}}), kBad),
          changed("93_template_text_twice", framed({text, text}, json::object()), kBad)};
}

std::vector<BadFile> of_config_files() {
  const std::string config = "tokenizer_config.json", generation = "generation_config.json";
  const auto chat = [&](const std::string& name, const std::string& text) {
    return with_config(name, config, json{{"chat_template", text}}.dump(), kOpens);
  };
  return {with_config("a0_bos_missing", config, R"({"bos_token": "<no>"})", kBad),
          with_config("a1_eos_a_number", config, R"({"eos_token": 3})", ErrorCode::Schema),
          with_config("a2_eos_content_a_number", config, R"({"eos_token": {"content": 3}})", ErrorCode::Schema),
          with_config("a3_chat_template_a_number", config, R"({"chat_template": 3})", ErrorCode::Schema),
          with_config("a4_chat_template_list_of_numbers", config, R"({"chat_template": [3]})", ErrorCode::Schema),
          with_config("a5_config_cut", config, "{", ErrorCode::Json),
          with_config("a6_eos_id_outside", generation, R"({"eos_token_id": 99999})", kBad),
          with_config("a7_eos_ids_of_strings", generation, R"({"eos_token_id": [1, "2"]})", ErrorCode::Schema),
          chat("b0_chat_loop_without_end", "{% for i in range(1000000000) %}x{% endfor %}"),
          chat("b1_chat_include", "{% include '/etc/passwd' %}"),
          chat("b2_chat_class", "{{ ''.__class__.__mro__ }}"),
          chat("b3_chat_of_1_mb", std::string(1 << 20, 'x'))};
}

}  // namespace

std::vector<BadFile> tokenizer_corpus() {
  std::vector<BadFile> all;
  for (auto part : {of_the_text, of_the_vocabulary, of_the_merges, of_added_tokens, of_the_stages, of_patterns,
                    of_templates, of_config_files}) {
    for (BadFile& file : part()) all.push_back(std::move(file));
  }
  return all;
}

}  // namespace lathe
