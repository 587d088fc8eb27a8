#include "model/io/stored_checksum.h"

#include <zlib.h>

#include <iomanip>

#include "model/data/error.h"

namespace lathe {

namespace {

std::string hex(std::uint32_t crc) {
  std::ostringstream out;
  out << std::hex << std::setw(8) << std::setfill('0') << crc;
  return out.str();
}

}  // namespace

void StoredChecksum::verify() const {
  std::call_once(verified_, [this] {
    const auto crc =
        static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size()));
    if (crc == crc32_) return;
    throw Error({.code = ErrorCode::Checksum,
                 .what = "the bytes are not those that were written: the file is damaged",
                 .where = where_,
                 .got = text("CRC-32 ", hex(crc)),
                 .expected = hex(crc32_),
                 .hint = "download or copy the file again"});
  });
}

}  // namespace lathe
