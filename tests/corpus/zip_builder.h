#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/io/byte_builder.h"

namespace lathe {

inline std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

/// An entry of an archive. What is given instead of what would be true is written as given.
struct ZipPart {
  std::string name;
  std::string data;
  std::uint16_t flags = 0x0808;  // as PyTorch: sizes in the list alone, names in UTF-8
  std::uint16_t method = 0;
  std::optional<std::string> local_name{};
  std::optional<std::uint32_t> crc32{};
  std::optional<std::uint32_t> stored_bytes{};
  std::optional<std::uint32_t> real_bytes{};
  std::optional<std::uint32_t> offset{};
  std::string extra{};  // of the list's header
};

/// Builds a zip archive as PyTorch does, with what is to be wrong in it.
class ZipBuilder {
 public:
  std::vector<ZipPart> parts{};
  bool zip64 = true;
  std::optional<std::uint16_t> count{};  // of the plain end
  std::optional<std::uint32_t> list_offset{};
  std::optional<std::uint64_t> zip64_end_at{};
  std::uint16_t comment_bytes = 0;

  ZipPart& part(std::string_view name) {
    for (ZipPart& part : parts) {
      if (part.name == name) return part;
    }
    return parts.emplace_back(ZipPart{std::string(name), ""});
  }

  std::string bytes() const {
    std::string out;
    std::string list;
    for (const ZipPart& part : parts) {
      const auto offset = static_cast<std::uint32_t>(out.size());
      add_local(out, part);
      add_central(list, part, part.offset.value_or(offset));
    }
    const auto list_at = static_cast<std::uint64_t>(out.size());
    out += list;
    if (zip64) add_zip64_end(out, list_at, list.size());
    out += "PK\5\6";
    append<std::uint32_t>(out, 0);
    append<std::uint16_t>(out, count.value_or(static_cast<std::uint16_t>(parts.size())));
    append<std::uint16_t>(out, count.value_or(static_cast<std::uint16_t>(parts.size())));
    append<std::uint32_t>(out, static_cast<std::uint32_t>(list.size()));
    append<std::uint32_t>(out, list_offset.value_or(static_cast<std::uint32_t>(list_at)));
    append<std::uint16_t>(out, comment_bytes);
    return out;
  }

 private:
  static void add_local(std::string& out, const ZipPart& part) {
    const std::string name = part.local_name.value_or(part.name);
    out += "PK\3\4";
    append<std::uint16_t>(out, 0);
    append(out, part.flags);
    append(out, part.method);
    out += std::string(16, '\0');  // time, CRC, sizes
    append<std::uint16_t>(out, static_cast<std::uint16_t>(name.size()));
    append<std::uint16_t>(out, 0);
    out += name + part.data;
  }

  static void add_central(std::string& list, const ZipPart& part, std::uint32_t offset) {
    const auto size = static_cast<std::uint32_t>(part.data.size());
    list += "PK\1\2";
    append<std::uint32_t>(list, 0);
    append(list, part.flags);
    append(list, part.method);
    append<std::uint32_t>(list, 0);
    append(list, part.crc32.value_or(crc32_of(part.data)));
    append(list, part.stored_bytes.value_or(size));
    append(list, part.real_bytes.value_or(size));
    append<std::uint16_t>(list, static_cast<std::uint16_t>(part.name.size()));
    append<std::uint16_t>(list, static_cast<std::uint16_t>(part.extra.size()));
    list += std::string(10, '\0');
    append(list, offset);
    list += part.name + part.extra;
  }

  void add_zip64_end(std::string& out, std::uint64_t list_at, std::uint64_t list_bytes) const {
    const auto at = static_cast<std::uint64_t>(out.size());
    out += "PK\6\6";
    append<std::uint64_t>(out, 44);
    out += std::string(12, '\0');
    append<std::uint64_t>(out, parts.size());
    append<std::uint64_t>(out, parts.size());
    append(out, list_bytes);
    append(out, list_at);
    out += "PK\6\7";
    append<std::uint32_t>(out, 0);
    append(out, zip64_end_at.value_or(at));
    append<std::uint32_t>(out, 1);
  }
};

}  // namespace lathe
