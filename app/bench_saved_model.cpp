#include "app/bench_saved_model.h"

#include <unistd.h>

#include "model/data/error.h"
#include "model/nn/save.h"

namespace lathe {

SavedModel::SavedModel(const OpenedModel& opened, const Job& job)
    : folder_(std::filesystem::temp_directory_path() / text("lathe-bench-", getpid())) {
  save_model(opened.model(), folder_, {{"tokenizer.json", opened.tokenizer.files().tokenizer_json}}, job);
}

SavedModel::~SavedModel() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace lathe
