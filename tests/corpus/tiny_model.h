#pragma once

#include <filesystem>
#include <string>

namespace lathe {

/// Writes the text to a file of the folder.
void put_file(const std::filesystem::path& folder, const std::string& name, const std::string& content);

/// Puts a Llama of one layer with weights of zero and room for 300 tokens into the folder: what is wrong with the
/// folder is then what a case of the corpus puts beside it.
void put_tiny_model(const std::filesystem::path& folder);

}  // namespace lathe
