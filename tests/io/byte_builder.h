#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// Appends the bytes of a number.
template <typename T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A safetensors file: header length, header, data, as given and not checked.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string bytes;
  append<std::uint64_t>(bytes, header.size());
  bytes += header;
  bytes += data;
  return bytes;
}

/// Builds a GGUF file piece by piece, as given and not checked.
class GgufBuilder {
 public:
  explicit GgufBuilder(std::uint32_t version = 3) : version_(version) {}

  /// A metadata value of `type` whose bytes are `value`.
  template <typename T>
  GgufBuilder& value(std::string_view key, std::uint32_t type, T value) {
    string(values_, key);
    append(values_, type);
    append(values_, value);
    ++num_values;
    return *this;
  }

  GgufBuilder& value(std::string_view key, std::string_view text) {
    string(values_, key);
    append<std::uint32_t>(values_, 8);
    string(values_, text);
    ++num_values;
    return *this;
  }

  /// An array of `count` elements of `element_type` whose bytes are `elements`.
  GgufBuilder& array(std::string_view key, std::uint32_t element_type, std::uint64_t count, std::string_view elements) {
    string(values_, key);
    append<std::uint32_t>(values_, 9);
    append(values_, element_type);
    append(values_, count);
    values_ += elements;
    ++num_values;
    return *this;
  }

  /// Metadata bytes as they are.
  GgufBuilder& raw_value(std::string_view bytes) {
    values_ += bytes;
    ++num_values;
    return *this;
  }

  /// A tensor at the place that the format wants, with its data. `dims` are in the file's order, fastest first.
  GgufBuilder& tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type,
                      std::string_view data) {
    tensor_at(name, std::move(dims), type, data_.size());
    data_ += data;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }

  /// A row of the tensor table alone.
  GgufBuilder& tensor_at(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type,
                         std::uint64_t offset) {
    string(infos_, name);
    append<std::uint32_t>(infos_, static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) append(infos_, dim);
    append(infos_, type);
    append(infos_, offset);
    ++num_tensors;
    return *this;
  }

  GgufBuilder& data(std::string_view bytes) {
    data_ += bytes;
    return *this;
  }

  std::string bytes() const {
    std::string out = "GGUF";
    append(out, version_);
    append(out, num_tensors);
    append(out, num_values);
    out += values_ + infos_;
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data_;
  }

  static void string(std::string& out, std::string_view text) {
    append<std::uint64_t>(out, text.size());
    out += text;
  }

  std::uint64_t num_values = 0;
  std::uint64_t num_tensors = 0;
  std::size_t alignment = 32;

 private:
  std::uint32_t version_;
  std::string values_;
  std::string infos_;
  std::string data_;
};

}  // namespace lathe
