#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>

#include "model/data/error.h"
#include "model/data/json_object.h"
#include "model/io/hash.h"
#include "model/nn/names.h"
#include "model/train/train_state.h"
#include "model/train/trainer.h"

namespace lathe {
namespace {

/// Settings that say where things are kept and how often; all others decide what a run computes.
constexpr const char* kBookkeeping[] = {"text", "run_folder", "eval_every", "save_every"};

nlohmann::json computing_settings(const TrainSettings& settings) {
  nlohmann::json json = train_settings_to_json(settings);
  for (const char* key : kBookkeeping) json.erase(key);
  return json;
}

void add_tensors(std::vector<StateTensor>& out, const TrainedModel& trained, const AdamW& optimizer) {
  for (std::size_t i = 0; i < trained.weights.size(); ++i) {
    const std::string& name = trained.weights[i].name;
    out.push_back({"weight." + name, trained.weights[i].master});
    out.push_back({"first_moment." + name, optimizer.first_moments()[i]});
    out.push_back({"second_moment." + name, optimizer.second_moments()[i]});
  }
  for (const TrainedBias& bias : trained.biases) out.push_back({"bias." + bias.name, bias.bias_E});
  out.push_back({"updates", optimizer.updates()});
}

/// Pairs of a tensor of this run and its stored value; throws before anything was changed.
std::vector<std::pair<at::Tensor, at::Tensor>> match(const std::vector<StateTensor>& ours,
                                                     const std::vector<StateTensor>& stored,
                                                     const std::filesystem::path& file) {
  std::map<std::string, at::Tensor> by_name;
  for (const StateTensor& tensor : stored) by_name[tensor.name] = tensor.tensor;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
  for (const StateTensor& tensor : ours) {
    const auto found = by_name.find(tensor.name);
    check(found != by_name.end(), "[resume] the saved run did not train '",
          tensor.name.substr(tensor.name.find('.') + 1),
          "'; train the same parts as it did, or start anew; file: ", file.string());
    check(found->second.sizes() == tensor.tensor.sizes(), "[resume] '", tensor.name, "': got shape ",
          found->second.sizes(), ", expected ", tensor.tensor.sizes(), "; file: ", file.string());
    pairs.emplace_back(tensor.tensor.detach(), found->second);
  }
  check(by_name.size() == ours.size(), "[resume] the saved run trained more weights than this one (", by_name.size(),
        " tensors, here ", ours.size(), "); train the same parts as it did; file: ", file.string());
  return pairs;
}

}  // namespace

std::string Trainer::fingerprint() {
  if (fingerprint_.empty()) {
    const at::Tensor ids_N = input_.fit_ids_N.contiguous();
    const std::span bytes(static_cast<const std::byte*>(ids_N.const_data_ptr()), ids_N.nbytes());
    fingerprint_ = model_sha256(*input_.model) + " " + sha256_hex(bytes);
  }
  return fingerprint_;
}

void Trainer::save_state(const std::filesystem::path& file, const Job& job) {
  const std::string both = fingerprint();
  TrainState state{.about = {{"steps_done", steps_done_},
                             {"skipped", skipped_},
                             {"skipped_in_row", skipped_in_row_},
                             {"model_sha256", both.substr(0, both.find(' '))},
                             {"ids_sha256", both.substr(both.find(' ') + 1)},
                             {"device", text(input_.model->device())},
                             {"threads", at::get_num_threads()},
                             {"compute_dtype", toString(dtype_)},
                             {"settings", computing_settings(input_.settings)}},
                   .tensors = {}};
  add_tensors(state.tensors, trained_, optimizer_);
  write_train_state(file, state, job);
}

std::vector<std::string> Trainer::restore_state(const std::filesystem::path& file) {
  const TrainState state = read_train_state(file);
  JsonObject about(state.about, "training state " + file.string());
  const std::int64_t steps_done = about.integer("steps_done");
  const std::int64_t skipped = about.integer("skipped"), skipped_in_row = about.integer("skipped_in_row");
  const std::string both = fingerprint();
  check(both.starts_with(about.string("model_sha256")),
        "[resume] the saved run started from another model than the one given; open that model; file: ", file.string());

  std::vector<std::string> notes;
  const auto note = [&](bool differs, const auto&... parts) {
    if (differs) notes.push_back(text(parts...));
  };
  note(!both.ends_with(about.string("ids_sha256")), "the text or its tokenizer is another than before");
  note(about.string("device") != text(input_.model->device()), "the device was ", about.string("device"));
  note(about.integer("threads") != at::get_num_threads(), "the run used ", about.integer("threads"), " threads, now ",
       at::get_num_threads());
  note(about.string("compute_dtype") != toString(dtype_), "the run computed in ", about.string("compute_dtype"));
  const nlohmann::json before = state.about.value("settings", nlohmann::json::object());
  const nlohmann::json now = computing_settings(input_.settings);
  for (const auto& [key, value] : now.items()) {
    const auto found = before.find(key);
    note(found == before.end() || *found != value, key, " was ", found == before.end() ? "absent" : found->dump(),
         ", now ", value.dump());
  }

  std::vector<StateTensor> ours;
  add_tensors(ours, trained_, optimizer_);
  const at::NoGradGuard no_grad;
  for (auto& [tensor, value] : match(ours, state.tensors, file)) tensor.copy_(value);
  trained_.refresh_leaves();
  steps_done_ = steps_done;
  skipped_ = skipped;
  skipped_in_row_ = skipped_in_row;
  return notes;
}

}  // namespace lathe
