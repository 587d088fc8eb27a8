#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lathe {

/// Parses JSON that came from outside: UTF-8 without byte order mark, no duplicate keys, at most 64 levels deep.
/// `where` names the source in messages ("config.json", a path). Throws Error with line and column.
nlohmann::json parse_json(std::string_view text, std::string_view where);

/// Reads and parses a JSON file of at most `max_bytes`. Throws Error.
nlohmann::json read_json_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{256} << 20);

/// Reads a whole small file. Throws Error if it is missing or larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{256} << 20);

}  // namespace lathe
