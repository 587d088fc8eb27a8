#include "model/data/error.h"

namespace lathe {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::Failed:
      return "E_FAILED";
    case ErrorCode::Io:
      return "E_IO";
    case ErrorCode::WrongFormat:
      return "E_WRONG_FORMAT";
    case ErrorCode::LfsPointer:
      return "E_LFS_POINTER";
    case ErrorCode::Html:
      return "E_HTML";
    case ErrorCode::Truncated:
      return "E_TRUNCATED";
    case ErrorCode::Trailing:
      return "E_TRAILING";
    case ErrorCode::Header:
      return "E_HEADER";
    case ErrorCode::Utf8:
      return "E_UTF8";
    case ErrorCode::Json:
      return "E_JSON";
    case ErrorCode::Limit:
      return "E_LIMIT";
    case ErrorCode::DuplicateKey:
      return "E_DUP_KEY";
    case ErrorCode::Schema:
      return "E_SCHEMA";
    case ErrorCode::Dtype:
      return "E_DTYPE";
    case ErrorCode::Overflow:
      return "E_OVERFLOW";
    case ErrorCode::Offsets:
      return "E_OFFSETS";
    case ErrorCode::Size:
      return "E_SIZE";
    case ErrorCode::Name:
      return "E_NAME";
    case ErrorCode::Version:
      return "E_VERSION";
    case ErrorCode::Endian:
      return "E_ENDIAN";
    case ErrorCode::Alignment:
      return "E_ALIGN";
    case ErrorCode::Checksum:
      return "E_CHECKSUM";
    case ErrorCode::Zip:
      return "E_ZIP";
    case ErrorCode::Opcode:
      return "E_OPCODE";
    case ErrorCode::UnsafeGlobal:
      return "E_UNSAFE_GLOBAL";
    case ErrorCode::TorchScript:
      return "E_TORCHSCRIPT";
    case ErrorCode::Range:
      return "E_RANGE";
    case ErrorCode::Path:
      return "E_PATH";
    case ErrorCode::NotRegular:
      return "E_NOT_REGULAR";
    case ErrorCode::Shard:
      return "E_SHARD";
    case ErrorCode::Config:
      return "E_CONFIG";
    case ErrorCode::Tokenizer:
      return "E_TOKENIZER";
    case ErrorCode::Regex:
      return "E_REGEX";
    case ErrorCode::Template:
      return "E_TEMPLATE";
    case ErrorCode::Dataset:
      return "E_DATASET";
    case ErrorCode::Memory:
      return "E_MEMORY";
    case ErrorCode::Export:
      return "E_EXPORT";
    case ErrorCode::Verify:
      return "E_VERIFY";
  }
  return "E_FAILED";
}

std::string to_text(const ErrorParts& parts) {
  std::string message = parts.what;
  if (!parts.got.empty()) message += ": got " + parts.got;
  if (!parts.expected.empty()) message += (parts.got.empty() ? ": expected " : ", expected ") + parts.expected;
  if (!parts.hint.empty()) message += "; " + parts.hint;
  if (!parts.where.empty()) message += "; " + parts.where;
  if (parts.code != ErrorCode::Failed) message += text(" (", error_code_name(parts.code), ")");
  return message;
}

}  // namespace lathe
