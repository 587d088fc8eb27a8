#include "model/data/command.h"

#include <filesystem>

#include "model/data/error.h"

namespace lathe {
namespace {

struct Title {
  std::string operator()(const OpenModel& open) const {
    return "Open " + std::filesystem::path(open.path).filename().string();
  }
  std::string operator()(const PreviewModel& preview) const {
    return "Look at " + std::filesystem::path(preview.path).filename().string();
  }
  std::string operator()(const Convert& convert) const {
    return text("Convert ", convert.plan.num_mla(), " MLA, ", convert.plan.num_moe(), " MoE");
  }
  std::string operator()(const Undo&) const { return "Undo"; }
  std::string operator()(const Redo&) const { return "Redo"; }
  std::string operator()(const Train& train) const { return text("Train ", train.settings.steps, " steps"); }
  std::string operator()(const Generate& generate) const {
    return generate.original ? "Generate with the original" : "Generate";
  }
  std::string operator()(const Evaluate&) const { return "Evaluate"; }
  std::string operator()(const SaveModel& save) const {
    return "Save " + std::filesystem::path(save.folder).filename().string();
  }
  std::string operator()(const ExportModel& one) const { return "Export as " + one.form; }
  std::string operator()(const SetWatches&) const { return "Watch"; }
  std::string operator()(const CancelJob&) const { return "Cancel"; }
};

}  // namespace

bool is_job(const Command& command) {
  return !std::holds_alternative<PreviewModel>(command.what) && !std::holds_alternative<SetWatches>(command.what) &&
         !std::holds_alternative<CancelJob>(command.what);
}

std::string title_of(const Command& command) { return std::visit(Title{}, command.what); }

}  // namespace lathe
