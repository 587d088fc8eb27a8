#include "model/io/protobuf.h"

#include <cstring>

#include "model/data/error.h"

namespace lathe {

namespace {

constexpr std::uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
constexpr int kMaxVarintBytes = 10;

}  // namespace

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  const std::uint64_t tag = take_varint();
  wire_ = static_cast<std::uint32_t>(tag & 7);
  if (tag >> 3 == 0 || tag >> 3 >= std::uint64_t{1} << 29) {
    refuse("a field has a number that cannot be", text(tag >> 3), "1 to 536870911");
  }
  field_ = static_cast<std::uint32_t>(tag >> 3);
  if (wire_ == kVarint) {
    integer_ = take_varint();
  } else if (wire_ == kFixed64) {
    bytes_ = take(8);
  } else if (wire_ == kFixed32) {
    bytes_ = take(4);
  } else if (wire_ == kBytes) {
    bytes_ = take(take_varint());
  } else {
    refuse("a field has a type that no message uses", text("wire type ", wire_), "0, 1, 2 or 5");
  }
  return true;
}

std::int64_t ProtobufReader::integer() const {
  expect_wire(kVarint, "a whole number");
  return static_cast<std::int64_t>(integer_);
}

float ProtobufReader::number() const {
  expect_wire(kFixed32, "a 32-bit number");
  float value = 0;
  std::memcpy(&value, bytes_.data(), sizeof value);
  return value;
}

std::string_view ProtobufReader::bytes() const {
  expect_wire(kBytes, "bytes");
  return bytes_;
}

void ProtobufReader::expect_wire(std::uint32_t wire, const char* kind) const {
  if (wire_ != wire) refuse(text("field ", field_, " has another type"), text("wire type ", wire_), kind);
}

std::string_view ProtobufReader::take(std::uint64_t count) {
  if (count > rest_.size()) {
    throw Error({.code = ErrorCode::Truncated,
                 .what = "the message ends within a field",
                 .where = text("byte ", size_ - rest_.size(), " of a message of ", where_),
                 .got = text(rest_.size(), " bytes"),
                 .expected = text(count),
                 .hint = "download the file again"});
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::uint64_t ProtobufReader::take_varint() {
  std::uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes; ++i) {
    const auto byte = static_cast<unsigned char>(take(1).front());
    if (i == kMaxVarintBytes - 1 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) return value;
  }
  refuse("a number has more than 64 bits", text("more than ", kMaxVarintBytes, " bytes"), "fewer");
}

void ProtobufReader::refuse(const std::string& what, const std::string& got, const std::string& expected) const {
  throw Error({.code = ErrorCode::Tokenizer,
               .what = what,
               .where = text("byte ", size_ - rest_.size(), " of a message of ", where_),
               .got = got,
               .expected = expected,
               .hint = "download the file again"});
}

}  // namespace lathe
