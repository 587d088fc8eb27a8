#pragma once

#include <filesystem>
#include <string>

#include "app/jobs/opened_model.h"
#include "model/data/job.h"

namespace lathe {

/// The model as a Hugging Face folder, with its tokenizer.json, that is gone when the measurement is over.
class SavedModel {
 public:
  /// Throws Error if there is no room for it; Cancelled.
  SavedModel(const OpenedModel& opened, const Job& job);
  ~SavedModel();
  SavedModel(const SavedModel&) = delete;
  SavedModel& operator=(const SavedModel&) = delete;

  std::string path() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace lathe
