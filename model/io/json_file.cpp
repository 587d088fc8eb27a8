#include "model/io/json_file.h"

#include <set>
#include <vector>

#include "model/data/error.h"
#include "model/io/mapped_file.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr int kMaxDepth = 64;

/// Refuses what nlohmann::json lets pass: great depth (copying it overflows the stack) and duplicate keys.
class StrictCallback {
 public:
  explicit StrictCallback(std::string_view where) : where_(where) {}

  bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    check(depth <= kMaxDepth, "[json] nested more than ", kMaxDepth, " levels deep; in: ", where_);
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      check(keys_.back().insert(key).second, "[json] key \"", key, "\" is there twice; in: ", where_);
    }
    return true;
  }

 private:
  std::string where_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view where) {
  check(!text.starts_with("\xEF\xBB\xBF"),
        "[json] starts with a byte order mark, which JSON does not allow; in: ", where);
  const std::size_t valid = valid_utf8_prefix(text);
  check(valid == text.size(), "[json] not UTF-8 at byte ", valid, "; in: ", where);
  const std::size_t nul = text.find('\0');  // the parser would take it as the end
  check(nul == std::string_view::npos, "[json] NUL at byte ", nul, "; in: ", where);
  // The parser copies its callback, and the keys must not be copied with it.
  StrictCallback strict(where);
  try {
    return nlohmann::json::parse(text, [&strict](int depth, nlohmann::json::parse_event_t event,
                                                 nlohmann::json& parsed) { return strict(depth, event, parsed); });
  } catch (const nlohmann::json::exception& error) {
    throw Error(lathe::text("[json] ", error.what(), "; in: ", where));
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path, std::size_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  check(bytes.size() <= max_bytes, "[open] ", bytes.size(), " bytes, expected at most ", max_bytes,
        "; file: ", path.string());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace lathe
