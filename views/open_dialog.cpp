#include "views/open_dialog.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "views/error_card.h"
#include "views/modal.h"
#include "views/reasons.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr double kSecondsAfterTyping = 0.3;
constexpr const char* kTitle = "Open a model";

/// The answer to what the dialog asked last, or null while there is none.
const ModelPreview* answer(const ActionContext& context) {
  const auto& preview = context.session.preview;
  return preview && context.ui.open.is_answered_by(*preview) ? preview.get() : nullptr;
}

std::string short_name(const std::string& path) {
  const std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
  return clean.has_filename() ? clean.filename().string() : clean.parent_path().filename().string();
}

/// "30: 21 GQA + 9 MLA, dense"
std::string layers_text(const ModelConfig& config) {
  const auto layers = config.num_layers();
  const auto split = [&](auto is_new, const std::string& old_kind, const std::string& new_kind) {
    const std::int64_t count = std::ranges::count_if(config.layers, is_new);
    if (count == 0 || count == layers) return count == 0 ? old_kind : new_kind;
    return text(layers - count, " ", old_kind, " + ", count, " ", new_kind);
  };
  const auto is_mla = [](const LayerConfig& layer) { return layer.attention.kind == AttentionKind::Mla; };
  const auto is_moe = [](const LayerConfig& layer) { return layer.feed_forward.kind == FeedForwardKind::Moe; };
  return text(layers, ": ", split(is_mla, "GQA", "MLA"), ", ", split(is_moe, "dense", "MoE"));
}

std::string dtypes_text(const ModelPreview& preview) {
  std::string text;
  for (const auto& [dtype, tensors] : preview.dtypes)
    text += (text.empty() ? "" : ", ") + dtype + " (" + std::to_string(tensors) + ")";
  return text;
}

/// One button a name; the chosen one is marked. True when it changed.
bool choose(const char* id, const std::vector<std::string>& names, std::string& chosen) {
  bool changed = false;
  ImGui::PushID(id);
  for (const std::string& name : names) {
    const bool on = name == chosen;
    ImGui::PushStyleColor(ImGuiCol_Button, on ? colors().accent_soft : colors().field);
    if (ImGui::Button(name.c_str()) && !on) {
      chosen = name;
      changed = true;
    }
    ImGui::PopStyleColor();
    ImGui::SameLine(0, px(2));
  }
  ImGui::PopID();
  ImGui::NewLine();
  return changed;
}

void close(ActionContext context) {
  context.ui.dialog = Dialog::None;
  ImGui::CloseCurrentPopup();
  if (context.session.previewing != 0) context.commands.cancel(context.session.previewing);
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

void OpenDialog::draw(ActionContext context) {
  if (context.ui.dialog != Dialog::Open) return;
  if (!begin_modal(kTitle, context.ui, 1120)) return;
  if (ImGui::IsWindowAppearing()) {
    missing_.clear();
    for (const auto& [path, config] : context.ui.settings.recent) {
      std::error_code unreachable;
      const bool shipped = path == "default" || path == "tiny";
      if (!shipped && !std::filesystem::exists(path, unreachable)) missing_.insert(path);
    }
  }
  draw_path(context);
  const float height = std::min(px(640), ImGui::GetMainViewport()->WorkSize.y - px(232));
  if (ImGui::BeginChild("recent", {px(232), height})) draw_recent(context, ImGui::GetContentRegionAvail().x);
  ImGui::EndChild();
  ImGui::SameLine(0, px(20));
  if (ImGui::BeginChild("preview", {0, height})) draw_preview(context);
  ImGui::EndChild();
  draw_buttons(context);
  ImGui::EndPopup();
}

void OpenDialog::draw_path(ActionContext context) {
  UiState& ui = context.ui;
  const float buttons = ImGui::CalcTextSize("File\u2026Folder\u2026").x + px(52);
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  draw_field(context, "##path", ui.open.path, "A model's folder or file, or drop one on the window", buttons);
  ImGui::SameLine();
  const bool file = ImGui::Button("File\u2026");
  ImGui::SameLine();
  const bool folder = ImGui::Button("Folder\u2026");
  draw_field(context, "##config", ui.open.config, "Its config, if not the config.json beside the weights", buttons);
  ImGui::SameLine();
  const bool config = ImGui::Button("Config\u2026");
  explain("For weights that come without a config.json, or to open them as another one says");
  if (file || folder || config) {  // this dialog makes way for the other and comes back with the answer
    context.commands.ask(AskPath{file     ? PathFor::OpenModelFile
                                 : folder ? PathFor::OpenModelFolder
                                          : PathFor::OpenModelConfig,
                                 /*from_dialog=*/true});
    close(context);
  }
  ask_when_typed(context);
  ImGui::Dummy({0, px(4)});
}

void OpenDialog::draw_field(ActionContext context, const char* id, std::string& value, const char* hint, float beside) {
  const OpenForm& form = context.ui.open;
  ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - beside);
  const bool entered = text_input(id, value, hint, ImGuiInputTextFlags_EnterReturnsTrue);
  if (ImGui::IsItemEdited()) typed_at_ = ImGui::GetTime();
  if (!entered) return;
  typed_at_ = -1.0;
  if (!form.is_asked()) ask_preview(context, form.path, form.config);
}

void OpenDialog::ask_when_typed(ActionContext context) {
  if (typed_at_ < 0 || ImGui::GetTime() - typed_at_ < kSecondsAfterTyping) return;
  typed_at_ = -1.0;
  ask_preview(context, context.ui.open.path, context.ui.open.config);
}

void OpenDialog::draw_recent(ActionContext context, float width) {
  UiState& ui = context.ui;
  heading("Recent");
  if (ui.settings.recent.empty()) caption("Models that you opened appear here.");
  std::optional<RecentModel> removed, picked;
  for (const RecentModel& model : ui.settings.recent) {
    const std::string& path = model.path;
    ImGui::PushID(path.c_str());
    const bool missing = missing_.contains(path);
    const float remove = px(26);
    const float x = ImGui::GetCursorPosX();
    ImGui::PushStyleColor(ImGuiCol_Text, missing ? colors().faint : colors().text);
    if (ImGui::Selectable(format("##%.80s", short_name(path).c_str()).c_str(), path == ui.open.path,
                          missing ? ImGuiSelectableFlags_Disabled : 0, {width - remove, ImGui::GetFrameHeight()}))
      picked = model;
    const std::string place = model.config.empty() ? path : path + "\nwith " + model.config;
    explain((missing ? path + "\nis no longer there" : place).c_str());
    ImGui::SameLine(x + px(4));
    const std::string name = missing ? "missing: " + short_name(path) : short_name(path);
    ImGui::AlignTextToFramePadding();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::PushClipRect(at, {at.x + width - remove - px(8), at.y + ImGui::GetFrameHeight()}, true);
    ImGui::TextUnformatted(name.c_str());
    ImGui::PopClipRect();
    ImGui::PopStyleColor();
    ImGui::SameLine(x + width - remove);
    if (quiet_button("\u00d7", "Take it off this list; the files stay")) removed = model;
    ImGui::PopID();
  }
  if (removed) std::erase(ui.settings.recent, *removed);
  if (picked) ask_preview(context, picked->path, picked->config);
}

void OpenDialog::draw_preview(ActionContext context) {
  if (context.ui.open.asked.path.empty()) {
    empty_state("Choose a model: what it is and whether it fits into memory appears here before it is opened.");
    return;
  }
  const ModelPreview* preview = answer(context);
  if (preview == nullptr) {
    empty_state("Looking at its files\u2026");
    return;
  }
  if (preview->refusal) {
    error_card(*preview->refusal);
    if (preview->format.empty()) return;
    ImGui::Dummy({0, px(6)});
  }
  draw_facts(*preview);
  if (!preview->refusal) draw_memory(*preview, context.ui);
  for (const std::string& note : preview->warnings) warning(note.c_str());
  if (!preview->tensors.empty()) draw_tensors(context);
}

void OpenDialog::draw_facts(const ModelPreview& preview) {
  if (!ImGui::BeginTable("facts", 2)) return;
  const auto fact = [](const char* name, const std::string& value) {
    if (value.empty()) return;
    ImGui::TableNextColumn();
    value_row(name, value.c_str());
  };
  fact("Format", preview.format.substr(0, preview.format.find(',')));
  fact("Architecture", preview.architecture);
  fact("On disk", format_bytes(preview.stored_bytes).c_str());
  fact("Stored as", dtypes_text(preview));
  if (preview.config) {
    const Sizes sizes = sizes_of(*preview.config);
    fact("Parameters", format_count(sizes.params).c_str());
    fact("Hidden size", std::to_string(preview.config->hidden_size));
    fact("Layers", layers_text(*preview.config));
    fact("Cache values per token", std::to_string(sizes.kv_values_per_token));
  }
  fact("Tokenizer", preview.tokenizer);
  ImGui::EndTable();
}

void OpenDialog::draw_memory(const ModelPreview& preview, UiState& ui) {
  heading("Memory");
  MemoryChoice wanted = chosen(preview.memory, ui.open.device, ui.open.dtype);
  std::vector<std::string> devices;
  std::vector<std::string> dtypes;
  for (const MemoryChoice& choice : preview.memory) {
    add_once(devices, choice.device);
    if (choice.device == wanted.device) add_once(dtypes, choice.dtype);
  }
  label_left("Device", "Where the weights are held and computed with");
  ImGui::BeginGroup();
  if (choose("device", devices, wanted.device)) {
    ui.open.device = wanted.device;
    ui.open.dtype = "auto";
  }
  ImGui::EndGroup();
  label_left("Type in memory",
             "What the weights become when they are read: f32 is exact for all that checkpoints hold, "
             "bf16 and f16 take half of it");
  ImGui::BeginGroup();
  if (choose("dtype", dtypes, wanted.dtype)) ui.open.dtype = wanted.dtype;
  ImGui::EndGroup();
  const MemoryChoice now = chosen(preview.memory, ui.open.device, ui.open.dtype);
  const float share =
      static_cast<float>(now.need_bytes) / static_cast<float>(std::max<std::int64_t>(1, now.free_bytes));
  thin_bar(share, now.fits() ? share > 0.8F ? colors().warning : colors().good : colors().error, 6);
  const auto refusal = memory_refusal(preview.memory, now, preview.path);
  const ShortText line =
      format("Weights %s of %s free", format_bytes(now.need_bytes).c_str(), format_bytes(now.free_bytes).c_str());
  caption(refusal ? (std::string(line.c_str()) + ": it does not fit. Next step: " + refusal->hint).c_str()
                  : line.c_str());
}

void OpenDialog::draw_tensors(const ActionContext& context) {
  const TensorList tensors(context.session.preview, &context.session.preview->tensors);
  const auto count = [&](TensorState state) {
    return static_cast<long long>(std::ranges::count(*tensors, state, &TensorInfo::state));
  };
  heading("Tensors");
  caption(format("%lld match the config, %lld missing, %lld unexpected, %lld of another shape",
                 count(TensorState::Matched), count(TensorState::Missing), count(TensorState::Unexpected),
                 count(TensorState::WrongShape))
              .c_str());
  table_.draw(tensors, /*with_files=*/true, chosen_tensor_, std::max(px(150), ImGui::GetContentRegionAvail().y));
}

void OpenDialog::draw_buttons(ActionContext context) {
  UiState& ui = context.ui;
  const std::string why_not = why_not_open(context);
  ImGui::Dummy({0, px(4)});
  ImGui::BeginDisabled(!why_not.empty());
  const bool open = primary_button("Open", {px(112), 0});
  ImGui::EndDisabled();
  const bool enter = ImGui::IsKeyPressed(ImGuiKey_Enter, false) && !ImGui::IsAnyItemActive();
  ImGui::SameLine();
  const bool cancel = ImGui::Button("Cancel");
  if (!why_not.empty()) {
    ImGui::SameLine(0, px(12));
    ImGui::AlignTextToFramePadding();
    ImGui::PushStyleColor(ImGuiCol_Text, colors().dim);
    clipped_text(why_not.c_str());
    ImGui::PopStyleColor();
  }
  if (!cancel && (!(open || enter) || !why_not.empty())) return;
  close(context);
  if (!cancel) open_model(context, ui.open.command());
}

}  // namespace lathe
