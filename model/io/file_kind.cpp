#include "model/io/file_kind.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace lathe {

namespace {

constexpr const char* kExpected = "the weights of a model";

ErrorParts wrong_format(const char* kind, const char* hint) {
  return {.code = ErrorCode::WrongFormat,
          .what = std::string("this is ") + kind,
          .got = kind,
          .expected = kExpected,
          .hint = hint};
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) { return text.starts_with(start); });
}

}  // namespace

std::optional<ErrorParts> describe_foreign_file(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 1024));
  const std::string_view visible = start.substr(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  if (start.starts_with("version https://git-lfs")) {
    return ErrorParts{.code = ErrorCode::LfsPointer,
                      .what = "this is a Git LFS pointer, not the weights",
                      .got = "a pointer of a few lines",
                      .expected = kExpected,
                      .hint = "run `git lfs pull` in the folder that it came from"};
  }
  if (starts_with_any(visible, {"<!DOCTYPE", "<!doctype", "<html", "<HTML"})) {
    return ErrorParts{.code = ErrorCode::Html,
                      .what = "this is a web page, not a model",
                      .got = "HTML",
                      .expected = kExpected,
                      .hint = "download it again; the link may need a login"};
  }
  if (start.starts_with("PK\x03\x04")) {
    return wrong_format("a zip archive (PyTorch .bin, .pt and .pth files are)",
                        "give it the ending .bin or .pth if PyTorch wrote it, or unpack it");
  }
  // A safetensors header of 0x280 bytes begins with the same two bytes as a pickle, and goes on with its brace.
  const bool has_header = start.size() > 8 && start[8] == '{';
  if (!has_header && start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) {
    return wrong_format("a Python pickle (old PyTorch files are)", "give it the ending .bin or .pth");
  }
  if (start.starts_with("GGUF")) return wrong_format("a GGUF file", "rename it to .gguf");
  if (starts_with_any(start, {"lmgg", "fmgg", "tjgg"})) {
    return wrong_format("a file of llama.cpp's format before GGUF", "convert it to GGUF first");
  }
  if (start.starts_with("\x1F\x8B")) return wrong_format("a gzip archive", "unpack it first");
  if (start.starts_with("7z\xBC\xAF")) return wrong_format("a 7z archive", "unpack it first");
  if (start.size() > 262 && start.substr(257, 5) == "ustar") return wrong_format("a tar archive", "unpack it first");
  if (has_header) return wrong_format("a safetensors file", "rename it to .safetensors");
  return std::nullopt;
}

}  // namespace lathe
