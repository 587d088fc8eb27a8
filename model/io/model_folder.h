#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/data/error.h"
#include "model/data/job.h"
#include "model/io/safetensors.h"

namespace lathe {

/// A small file of a model folder: config.json, tokenizer.json, plan.json, receipt.json ...
struct FolderFile {
  std::string name;
  std::string content;
};

/// What a saved model consists of.
struct ModelFolder {
  std::vector<TensorSource> tensors;  ///< written as model.safetensors, or as shards with an index
  std::vector<FolderFile> files;      ///< must hold config.json
  std::int64_t max_shard_bytes = 5'000'000'000;
  /// Called with the finished folder before it takes the place of the old one; what it throws ends the save.
  std::function<void(const std::filesystem::path& folder)> verify{};
};

/// Saves a model folder so that at every moment, even across a crash or power cut, `folder` is the old model or the new
/// one, whole. Writes to a hidden sibling folder, syncs it, writes `manifest.json` (sizes and SHA-256) last, and swaps.
/// An existing folder is replaced only if it is empty or everything in it was saved by this function; else Error, so
/// that nobody's files are lost. Returns the files written.  Throws Error or Cancelled; the old folder is then
/// untouched.
std::vector<WrittenFile> save_model_folder(const std::filesystem::path& folder, const ModelFolder& content,
                                           const Job& job = {});

/// Throws Error if save_model_folder would refuse this folder. Writes nothing: asked before the work whose result goes
/// there.
void check_saveable(const std::filesystem::path& folder);

/// Puts right what an interrupted save left beside `folder`: removes unfinished folders, and restores the old one if
/// the new was not yet in place. Called by open_checkpoint and save_model_folder. Folders that a live save holds are
/// kept.
void recover_model_folder(const std::filesystem::path& folder);

/// Reads every file that `manifest.json` lists again and returns what is wrong with each that is missing (E_IO), has
/// another size (E_SIZE) or other bytes (E_CHECKSUM). Throws Error if there is no readable manifest; Cancelled.
std::vector<ErrorParts> verify_model_folder(const std::filesystem::path& folder, const Job& job = {});

}  // namespace lathe
