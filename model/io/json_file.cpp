#include "model/io/json_file.h"

#include <set>
#include <vector>

#include "model/data/error.h"
#include "model/io/mapped_file.h"
#include "model/io/mapping_guard.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr int kMaxDepth = 64;

Error bad_json(ErrorCode code, std::string_view where, std::string what, std::string got, std::string expected) {
  return Error({.code = code,
                .what = std::move(what),
                .where = std::string(where),
                .got = std::move(got),
                .expected = std::move(expected),
                .hint = "correct the file or get it again"});
}

/// Refuses what nlohmann::json lets pass: great depth (copying it overflows the stack) and duplicate keys.
class StrictCallback {
 public:
  explicit StrictCallback(std::string_view where) : where_(where) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) {
      throw bad_json(ErrorCode::Limit, where_, "the JSON is nested too deeply", text("over ", kMaxDepth, " levels"),
                     text("at most ", kMaxDepth, " levels"));
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        throw bad_json(ErrorCode::DuplicateKey, where_, "a key is there twice", text("a second \"", key, "\""),
                       "every key once");
      }
    }
    return true;
  }

 private:
  std::string where_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view where) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    throw bad_json(ErrorCode::Json, where, "the JSON starts with a byte order mark", "EF BB BF", "{ or [");
  }
  if (const std::size_t valid = valid_utf8_prefix(text); valid != text.size()) {
    throw bad_json(ErrorCode::Utf8, where, "the JSON is not UTF-8", lathe::text("a wrong sequence at byte ", valid),
                   "UTF-8 text");
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {  // the parser would take it as the end
    throw bad_json(ErrorCode::Json, where, "the JSON holds a NUL", lathe::text("NUL at byte ", nul), "JSON text");
  }
  // The parser copies its callback, and the keys must not be copied with it.
  StrictCallback strict(where);
  try {
    return nlohmann::json::parse(text, [&strict](int depth, nlohmann::json::parse_event_t event,
                                                 nlohmann::json& parsed) { return strict(depth, event, parsed); });
  } catch (const nlohmann::json::exception& error) {
    throw bad_json(ErrorCode::Json, where, "this is not JSON", error.what(), "JSON text");
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  if (bytes.size() > max_bytes) {
    throw Error({.code = ErrorCode::Limit,
                 .what = "the file is larger than any real one of its kind",
                 .where = path.string(),
                 .got = text(bytes.size(), " bytes"),
                 .expected = text("at most ", max_bytes, " bytes"),
                 .hint = "check that it is the file that its name says"});
  }
  std::string content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check_unchanged(bytes);
  return content;
}

}  // namespace lathe
