#include "app/jobs/export.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/assets.h"
#include "app/devices.h"
#include "app/jobs/export_gguf.h"
#include "model/data/stock_classes.h"
#include "model/io/json_file.h"
#include "model/nn/compare.h"
#include "model/nn/save.h"

namespace lathe {
namespace {

SideFiles tokenizer_and_receipt(const OpenedModel& opened) {
  SideFiles files;
  const TokenizerFiles& tokenizer = opened.tokenizer.files();
  const auto add = [&files](const char* name, const std::string& content) {
    if (!content.empty()) files.emplace_back(name, content);
  };
  add("tokenizer.json", tokenizer.tokenizer_json);
  add("tokenizer_config.json", tokenizer.tokenizer_config_json);
  add("chat_template.jinja", tokenizer.chat_template_jinja);
  add("generation_config.json", tokenizer.generation_config_json);
  add("tokenizer.model", tokenizer.tokenizer_model);
  if (const auto& receipt = opened.history.current().receipt) {
    add("plan.json", plan_to_json(receipt->plan).dump(2) + "\n");
    add("receipt.json", receipt_to_json(*receipt).dump(2) + "\n");
  }
  return files;
}

std::string summary_of(const ModelConfig& config) {
  const auto count = [&](auto is) { return std::ranges::count_if(config.layers, is); };
  const auto mla = count([](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; });
  const auto moe = count([](const LayerConfig& layer) { return layer.feed_forward.kind == FeedForwardKind::Moe; });
  return text("A language model of ", config.num_layers(), " layers: ", mla,
              " with multi-head latent attention, the rest with grouped-query attention; ", moe,
              " with a mixture of experts, the rest with a dense MLP. Made with Lathe.");
}

/// A file of assets/export with its places filled in.
std::string asset(const char* name, const std::string& model_name, const std::string& summary) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  std::string content = read_file(assets_folder() / "export" / name, kMaxBytes);
  for (const auto& [place, value] : {std::pair{"{name}", model_name}, std::pair{"{summary}", summary}}) {
    const std::string_view mark = place;
    for (std::size_t at = 0; (at = content.find(mark, at)) != std::string::npos; at += value.size()) {
      content.replace(at, mark.size(), value);
    }
  }
  return content;
}

/// What transformers needs to load a model of Lathe's own form, and who trains it further.
void add_code(const OpenedModel& opened, const std::filesystem::path& folder, SideFiles& files) {
  const auto path = folder.has_filename() ? folder : folder.parent_path();
  const std::string summary = summary_of(opened.model().config);
  for (const char* name : {"configuration_lathe.py", "modeling_lathe.py"}) {
    files.emplace_back(name, asset(name, "", ""));
  }
  for (const char* name : {"README.md", "fsdp2.yaml", "continue_training.py"}) {
    files.emplace_back(name, asset(name, path.filename().string(), summary));
  }
}

bool is_own_form(const ModelConfig& config) { return config_to_json(config).at("model_type") == "lathe"; }

}  // namespace

Exported export_opened_model(const OpenedModel& opened, const ExportModel& what, const Job& job) {
  if (what.path.empty()) {
    throw Error({.code = ErrorCode::Io,
                 .what = "nothing says where to write to",
                 .where = "the export",
                 .got = "an empty path",
                 .expected = "a folder",
                 .hint = "choose a folder"});
  }
  if (gguf_type_of(what.form)) return export_gguf(opened, what, job);
  const Model& model = opened.model();
  const at::ScalarType dtype = what.dtype == "auto" ? model.dtype() : choose_dtype(what.dtype, model.device());
  SideFiles files = tokenizer_and_receipt(opened);
  if (what.form == "hf" && is_own_form(model.config)) add_code(opened, what.path, files);
  Exported exported;
  exported.form = what.form;
  exported.path = what.path;
  SaveOptions options{.form = what.form, .dtype = dtype, .verify = {}};
  options.verify = [&](const std::filesystem::path& folder) {
    const bool same_tensors = what.form == "hf" || what.form == "llama";
    const ModelDifference difference = verify_saved(folder, model, dtype, same_tensors, job);
    exported.tensors = difference.tensors;
    exported.logit_difference = difference.logits;
    exported.tokens = difference.tokens;
  };
  for (WrittenFile& file : save_model(model, what.path, files, job, options)) {
    exported.files.push_back({std::move(file.name), file.bytes, std::move(file.sha256)});
  }
  return exported;
}

Saved save_opened_model(const OpenedModel& opened, const SaveModel& save, const Job& job) {
  const Exported exported = export_opened_model(opened, {.form = "hf", .path = save.folder, .dtype = "auto"}, job);
  std::int64_t bytes = 0;
  for (const ExportedFile& file : exported.files) bytes += file.bytes;
  return {.folder = save.folder, .bytes = bytes};
}

}  // namespace lathe
