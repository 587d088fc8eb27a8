#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "model/data/error.h"

namespace lathe {

/// A file, or a folder of files, as a hostile or broken download could bring it, and what opening it must end in.
struct BadFile {
  std::string name;  ///< "safetensors/29_duplicate_tensor": kind, number of the probe, what is odd about it

  /// Puts the files into an empty folder. Nothing of the corpus is stored as bytes: all of it is made by code.
  std::function<void(const std::filesystem::path& folder)> write;

  std::string opened;  ///< what the user opens, relative to the folder; empty: the folder itself

  /// The code of the refusal. None: it must open, perhaps with a warning.
  std::optional<ErrorCode> expected;
};

inline void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

/// A BadFile that is one file with this content.
BadFile one_file(std::string name, std::string file, std::string content, std::optional<ErrorCode> expected);

/// A BadFile that is model.bin with these bytes beside a good config.
BadFile pytorch_file(const std::string& name, const std::string& bytes, std::optional<ErrorCode> expected);

std::vector<BadFile> safetensors_corpus();
std::vector<BadFile> gguf_corpus();        ///< one file: its structure, and what its metadata says
std::vector<BadFile> gguf_model_corpus();  ///< experts, latents and split files
std::vector<BadFile> pytorch_corpus();
std::vector<BadFile> pickle_corpus();   ///< a part of it
std::vector<BadFile> config_corpus();   ///< config.json, index, folder
std::vector<BadFile> dataset_corpus();  ///< texts to train on
std::vector<BadFile> tokenizer_corpus();
std::vector<BadFile> sentencepiece_corpus();

/// All that are models: everything but tokenizers and datasets.
std::vector<BadFile> model_corpus();

}  // namespace lathe
