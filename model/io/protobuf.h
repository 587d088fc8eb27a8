#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe {

/// Reads the fields of one protobuf message in turn. Every length is checked against the bytes that are there; groups,
/// which no current message has, are refused, so that nothing recurses.
/// Source: protobuf.dev/programming-guides/encoding.
class ProtobufReader {
 public:
  /// Borrows `bytes`; `where` names the file. All functions throw Error that names the byte.
  ProtobufReader(std::string_view bytes, std::string where)
      : rest_(bytes), size_(bytes.size()), where_(std::move(where)) {}

  /// Goes to the next field; false at the end of the message.
  bool next();

  /// The number of the field at hand.
  std::uint32_t field() const { return field_; }

  // What the field holds; Error if it is of another type.
  std::int64_t integer() const;
  bool boolean() const { return integer() != 0; }
  float number() const;
  std::string_view bytes() const;
  ProtobufReader message() const { return {bytes(), where_}; }

 private:
  [[noreturn]] void refuse(const std::string& what, const std::string& got, const std::string& expected) const;
  std::string_view take(std::uint64_t count);
  std::uint64_t take_varint();
  void expect_wire(std::uint32_t wire, const char* kind) const;

  std::string_view rest_;
  std::size_t size_;
  std::string where_;
  std::uint32_t field_ = 0, wire_ = 0;
  std::uint64_t integer_ = 0;
  std::string_view bytes_;
};

}  // namespace lathe
