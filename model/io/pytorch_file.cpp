#include "model/io/pytorch_file.h"

#include <map>
#include <string_view>
#include <utility>

#include "model/data/error.h"
#include "model/io/file_kind.h"
#include "model/io/pytorch_content.h"
#include "model/io/pytorch_state_dict.h"

namespace lathe {

namespace {

[[noreturn]] void refuse(std::span<const std::byte> bytes, const std::string& path) {
  ErrorParts parts = describe_foreign_file(bytes).value_or(
      ErrorParts{.code = bytes.empty() ? ErrorCode::Truncated : ErrorCode::WrongFormat,
                 .what = bytes.empty() ? "the file is empty" : "this is not a file that torch.save wrote",
                 .got = text(bytes.size(), " bytes"),
                 .hint = "download the file again, or save the weights with torch.save"});
  parts.where = path;
  parts.expected = "a zip archive or pickle of PyTorch";
  throw Error(std::move(parts));
}

PytorchContent read_content(std::span<const std::byte> bytes, const std::string& path) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (all.starts_with("PK\3\4") || all.starts_with("PK\5\6")) return read_pytorch_zip(bytes, path);
  // A safetensors header of 0x280 bytes begins with the same two bytes as a pickle, and goes on with its brace.
  const bool has_header = all.size() > 8 && all[8] == '{';
  if (all.starts_with('\x80') && !has_header) return read_pytorch_legacy(bytes, path);
  refuse(bytes, path);
}

/// Which tensors are the same values under another name, a sentence each.
std::vector<std::string> aliases(const std::vector<PytorchTensor>& tensors) {
  std::vector<std::string> out;
  std::map<const std::byte*, const PytorchTensor*> first_at;
  for (const PytorchTensor& tensor : tensors) {
    if (tensor.bytes.empty()) continue;
    const auto [known, is_new] = first_at.try_emplace(tensor.bytes.data(), &tensor);
    const PytorchTensor& first = *known->second;
    if (is_new || first.shape != tensor.shape || first.strides != tensor.strides) continue;
    out.push_back(text("\"", tensor.name, "\" is \"", first.name, "\" under another name"));
  }
  return out;
}

}  // namespace

PytorchFile::PytorchFile(const std::filesystem::path& path) : file_(path) {
  const PytorchContent content = read_content(file_.bytes(), path.string());
  StateDict dict = find_state_dict(content.pickle, path.string());
  tensors_ = read_pytorch_tensors(content, dict.tensors, path.string());
  warnings_ = std::move(dict.notes);
  for (std::string& alias : aliases(tensors_)) warnings_.push_back(std::move(alias));
}

}  // namespace lathe
