#include "model/io/dataset.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "model/data/error.h"
#include "model/io/hash.h"
#include "model/io/inside_folder.h"
#include "model/io/json_file.h"
#include "model/io/mapped_file.h"
#include "model/io/mapping_guard.h"
#include "model/io/text_file.h"

namespace lathe {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kBetween = "\n\n";
constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;
constexpr std::int64_t kMaxBadLines = 10;  // and a tenth of the lines
constexpr const char* kExpectedLine = "an object with a string \"text\", or with \"messages\"";
constexpr const char* kHint = "write a .txt, or a .jsonl whose lines are {\"text\": \"...\"}";

bool ends_with_any(const fs::path& path, std::initializer_list<std::string_view> ends) {
  const std::string end = path.extension().string();
  return std::ranges::find(ends, end) != ends.end();
}

bool is_json_lines(const fs::path& path) { return ends_with_any(path, {".jsonl", ".ndjson", ".json"}); }

Error bad_line(ErrorCode code, std::string what, std::string got) {
  return Error(
      {.code = code, .what = std::move(what), .got = std::move(got), .expected = kExpectedLine, .hint = kHint});
}

std::string string_of(const nlohmann::json& value, const char* name) {
  if (!value.is_string()) {
    throw bad_line(ErrorCode::Schema, text("\"", name, "\" is of another kind"), value.type_name());
  }
  return value;
}

/// The contents of a conversation, one after the other.
std::string text_of_messages(const nlohmann::json& messages) {
  if (!messages.is_array()) {
    throw bad_line(ErrorCode::Schema, "\"messages\" is of another kind", messages.type_name());
  }
  std::string all;
  for (const nlohmann::json& message : messages) {
    if (!message.is_object() || !message.contains("content")) {
      throw bad_line(ErrorCode::Schema, "a message has no \"content\"", message.type_name());
    }
    if (!all.empty()) all += kBetween;
    all += string_of(message["content"], "content");
  }
  return all;
}

/// What one line holds. Throws Error without the place.
std::string text_of_line(std::string_view line) {
  if (line.size() > kMaxLineBytes) {
    throw bad_line(ErrorCode::Limit, "the line is longer than any real one", text(line.size(), " bytes"));
  }
  const nlohmann::json parsed = parse_json(line, "");
  if (!parsed.is_object()) throw bad_line(ErrorCode::Schema, "the line is of another kind", parsed.type_name());
  if (parsed.contains("text")) return string_of(parsed["text"], "text");
  if (parsed.contains("messages")) return text_of_messages(parsed["messages"]);
  const std::string first = parsed.empty() ? "{}" : text("\"", parsed.begin().key().substr(0, 100), "\"");
  throw bad_line(ErrorCode::Schema, "the line has neither \"text\" nor \"messages\"", first);
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

/// Collects the documents of JSON lines and what is wrong with the others.
class JsonLines {
 public:
  explicit JsonLines(const fs::path& path) : path_(path) {}

  void add(std::string_view line, std::int64_t number) {
    try {
      std::string document = text_of_line(line);
      if (is_blank(document)) throw bad_line(ErrorCode::Dataset, "the text is empty", "no text");
      if (dataset_.documents++ > 0) dataset_.text += kBetween;
      dataset_.text += document;
    } catch (const Error& error) {
      ++bad_;
      if (!first_bad_) {
        first_bad_ = error.parts();
        first_bad_->where = text("line ", number, " of ", path_.string());
      }
      if (bad_ <= kMaxBadLines)
        dataset_.warnings.push_back(text("line ", number, " is left out: ", error.parts().what));
    }
  }

  Dataset take() {
    const std::int64_t lines = bad_ + dataset_.documents;
    if (first_bad_ && (dataset_.documents == 0 || (bad_ > kMaxBadLines && bad_ > lines / 10))) {
      first_bad_->what += text(" (", bad_, " of ", lines, " lines cannot be used)");
      throw Error(*first_bad_);
    }
    if (bad_ > kMaxBadLines) dataset_.warnings.push_back(text(bad_, " lines of ", lines, " are left out"));
    for (std::string& warning : dataset_.warnings) warning += text("; file: ", path_.string());
    return std::move(dataset_);
  }

 private:
  fs::path path_;
  Dataset dataset_;
  std::int64_t bad_ = 0;
  std::optional<ErrorParts> first_bad_;
};

Dataset read_json_lines(const fs::path& path) {
  const MappedFile file(path);
  const std::string_view all = checked_text(file);
  if (all[all.find_first_not_of(" \t\r\n\f\v")] == '[' && path.extension() == ".json") {
    throw Error({.code = ErrorCode::WrongFormat,
                 .what = "this is one JSON array, not JSON lines",
                 .where = path.string(),
                 .got = "[",
                 .expected = text("lines, each ", kExpectedLine),
                 .hint = "write each of its items on a line of its own: jq -c '.[]'"});
  }
  JsonLines lines(path);
  std::int64_t number = 0;
  for (std::size_t start = 0; start < all.size();) {
    const std::size_t end = std::min(all.find('\n', start), all.size());
    const std::string_view line = all.substr(start, end - start);
    ++number;
    if (!is_blank(line)) lines.add(line, number);
    start = end + 1;
  }
  Dataset dataset = lines.take();
  dataset.sha256 = sha256_hex(file.bytes());
  check_unchanged(file.bytes());
  return dataset;
}

Dataset read_one_file(const fs::path& path) {
  if (is_json_lines(path)) return read_json_lines(path);
  TextFile file = read_text_file(path);
  return {.text = std::move(file.text),
          .documents = 1,
          .replaced_bytes = file.replaced_bytes,
          .sha256 = std::move(file.sha256)};
}

/// The names of the folder's texts, sorted.
std::vector<std::string> text_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::string other;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    if (ends_with_any(name, {".txt", ".md", ".jsonl", ".ndjson"})) {
      names.push_back(std::move(name));
    } else {
      other = std::move(name);
    }
  }
  if (names.empty()) {
    throw Error({.code = ErrorCode::Dataset,
                 .what = "the folder holds no text",
                 .where = folder.string(),
                 .got = other.empty() ? "an empty folder" : text("\"", other, "\""),
                 .expected = "files that end in .txt, .md, .jsonl or .ndjson",
                 .hint = kHint});
  }
  std::ranges::sort(names);
  return names;
}

Dataset read_text_folder(const fs::path& folder) {
  Dataset all;
  Sha256 hash;
  for (const std::string& name : text_names(folder)) {
    Dataset one = read_one_file(inside_folder(folder, name));
    if (all.documents > 0) all.text += kBetween;
    all.text += one.text;
    all.documents += one.documents;
    all.replaced_bytes += one.replaced_bytes;
    std::ranges::move(one.warnings, std::back_inserter(all.warnings));
    hash.update(one.sha256);
  }
  all.sha256 = hash.hex();
  return all;
}

}  // namespace

Dataset read_dataset(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return read_one_file(path);
  try {
    return read_text_folder(path);
  } catch (const fs::filesystem_error& error) {
    throw Error({.code = ErrorCode::Io,
                 .what = "cannot read the folder",
                 .where = path.string(),
                 .got = error.code().message(),
                 .expected = "a folder of texts",
                 .hint = "check its permissions"});
  }
}

}  // namespace lathe
