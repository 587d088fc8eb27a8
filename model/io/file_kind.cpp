#include "model/io/file_kind.h"

#include <algorithm>
#include <string_view>

namespace lathe {

std::string describe_foreign_file(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 1024));
  const std::string_view visible = start.substr(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  if (start.starts_with("version https://git-lfs")) {
    return "this is a Git LFS pointer, not the weights; run `git lfs pull` in the folder it came from";
  }
  if (visible.starts_with("<!DOCTYPE") || visible.starts_with("<!doctype") || visible.starts_with("<html")) {
    return "this is a web page, not a model; the download link may need a login";
  }
  if (start.starts_with("PK\x03\x04")) {
    return "this is a zip archive (PyTorch .bin or .pth files are); convert it to safetensors first";
  }
  // A safetensors header of 0x280 bytes begins with the same two bytes as a pickle, and goes on with its brace.
  const bool has_header = start.size() > 8 && start[8] == '{';
  if (!has_header && start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) {
    return "this is a Python pickle (old PyTorch files are), which can run code; convert it to safetensors first";
  }
  if (start.starts_with("GGUF")) return "this is a GGUF file; rename it to .gguf";
  if (start.starts_with("lmgg") || start.starts_with("fmgg") || start.starts_with("tjgg")) {
    return "this is a file of llama.cpp's format before GGUF; convert it to GGUF first";
  }
  if (has_header) return "this looks like a safetensors file";
  return "";
}

}  // namespace lathe
