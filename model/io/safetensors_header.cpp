#include "model/io/safetensors_header.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "model/data/error.h"
#include "model/io/utf8.h"

namespace lathe {
namespace {

constexpr std::size_t kMaxTensors = 1'000'000;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxRank = 16;
constexpr int kMaxDepth = 64;

/// Receives the header's JSON piece by piece and builds items as they end, so that no tree of a 100 MB header is made
/// and that repeated keys, which a tree would hide, are seen.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(SafetensorsHeader& header, std::string_view path) : header_(header), path_(path) {}

  bool null() override {
    if (place_ == Place::MetadataStart) {
      header_.warnings.push_back("__metadata__ is null");
      place_ = Place::Top;
      return true;
    }
    return scalar("null");
  }
  bool boolean(bool /*value*/) override { return scalar("a bool"); }
  bool number_integer(number_integer_t /*value*/) override { return scalar("a negative number"); }
  bool number_float(number_float_t /*value*/, const string_t& text) override { return scalar(text); }
  bool binary(binary_t& /*value*/) override { return scalar("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::Shape) return add_dim(value);
    if (place_ == Place::Offsets) return add_offset(value);
    return scalar("a number");
  }

  bool string(string_t& value) override {
    if (place_ == Place::Metadata) {
      header_.metadata[key_] = std::move(value);
      return true;
    }
    if (place_ != Place::DType) return scalar("a string");
    const auto dtype = dtype_from_name(value);
    if (!dtype) {
      fail(ErrorCode::Dtype, "the dtype cannot be read", text("\"", shown(value), "\""),
           "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64 to I8, U64 to U8 or BOOL");
    }
    item_.dtype = *dtype;
    place_ = Place::Tensor;
    return true;
  }

  bool key(string_t& value) override {
    if (place_ == Place::Top) return top_key(value);
    if (place_ == Place::Tensor) return field_key(value);
    if (place_ == Place::Metadata) {
      key_ = std::move(value);
      if (header_.metadata.contains(key_)) fail_twice(text("the key \"", shown(key_), "\" of __metadata__"));
    }
    return true;
  }

  bool start_object(std::size_t /*size*/) override {
    check_depth();
    switch (place_) {
      case Place::Start:
        place_ = Place::Top;
        return true;
      case Place::MetadataStart:
        place_ = Place::Metadata;
        return true;
      case Place::TensorStart:
        place_ = Place::Tensor;
        return true;
      case Place::Unknown:
        return true;
      default:
        return scalar("an object");
    }
  }

  bool end_object() override {
    --depth_;
    if (place_ == Place::Tensor) finish_item();
    if (place_ == Place::Tensor || place_ == Place::Metadata) place_ = Place::Top;
    leave_unknown();
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    check_depth();
    if (place_ == Place::ShapeStart) {
      place_ = Place::Shape;
    } else if (place_ == Place::OffsetsStart) {
      place_ = Place::Offsets;
    } else if (place_ != Place::Unknown) {
      return scalar("an array");
    }
    return true;
  }

  bool end_array() override {
    --depth_;
    if (place_ == Place::Offsets && num_offsets_ != 2) {
      fail_kind("data_offsets is not a range", text(num_offsets_, " numbers"), "2 numbers");
    }
    if (place_ == Place::Shape || place_ == Place::Offsets) place_ = Place::Tensor;
    leave_unknown();
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    fail(ErrorCode::Json, "the header is not JSON", error.what(), "a JSON object");
  }

 private:
  /// Where in the header the reader is: what the next value means.
  enum class Place {
    Start,
    Top,
    MetadataStart,
    Metadata,
    TensorStart,
    Tensor,
    DType,
    ShapeStart,
    Shape,
    OffsetsStart,
    Offsets,
    Unknown,
  };

  /// Refuses what is at hand: a tensor's field, or the header if no tensor is begun.
  [[noreturn]] void fail(ErrorCode code, std::string what, std::string got, std::string expected) const {
    const std::string tensor = item_.name.empty() ? "" : text("tensor \"", shown(item_.name), "\" of ");
    throw Error({.code = code,
                 .what = std::move(what),
                 .where = text("the header, ", tensor, path_),
                 .got = std::move(got),
                 .expected = std::move(expected),
                 .hint = "download the file again, or write it again with a current safetensors library"});
  }

  /// Refuses a value that is not of the kind that stands here.
  [[noreturn]] void fail_kind(std::string what, std::string_view got, std::string expected) const {
    fail(ErrorCode::Schema, std::move(what), std::string(got), std::move(expected));
  }

  [[noreturn]] void fail_twice(std::string what) const {
    fail(ErrorCode::DuplicateKey, what + " is there twice", "a second one", "every key once");
  }

  /// Names come from the file: long ones would bury the message.
  static std::string shown(const std::string& name) {
    constexpr std::size_t kLongest = 100;
    return name.size() <= kLongest ? name : name.substr(0, valid_utf8_prefix(name.substr(0, kLongest))) + "...";
  }

  void check_depth() {
    if (++depth_ > kMaxDepth) {
      fail(ErrorCode::Limit, "the header is nested too deeply", text("over ", kMaxDepth, " levels"), "3 levels");
    }
  }

  void leave_unknown() {
    if (place_ == Place::Unknown && depth_ == kTensorDepth) place_ = Place::Tensor;
  }

  /// A value that only an unknown field may have: says what was expected here instead, in the order of Place.
  bool scalar(std::string_view got) {
    struct Expected {
      const char* what;
      const char* value;
    };
    constexpr std::array<Expected, 11> kExpected{{{"the header is of another kind", "an object"},
                                                  {"a value stands where none belongs", "a tensor"},
                                                  {"__metadata__ is of another kind", "an object"},
                                                  {"a value of __metadata__ is of another kind", "a string"},
                                                  {"the tensor's description is of another kind", "an object"},
                                                  {"a value stands where none belongs", "a field"},
                                                  {"dtype is of another kind", "a string"},
                                                  {"shape is of another kind", "an array"},
                                                  {"shape holds something else", "whole numbers from 0"},
                                                  {"data_offsets is of another kind", "an array"},
                                                  {"data_offsets holds something else", "whole numbers from 0"}}};
    if (place_ != Place::Unknown) {
      const Expected& expected = kExpected.at(static_cast<std::size_t>(place_));
      fail_kind(expected.what, got, expected.value);
    }
    leave_unknown();
    return true;
  }

  bool top_key(std::string& name) {
    if (name == "__metadata__") {
      if (has_metadata_) fail_twice("__metadata__");
      has_metadata_ = true;
      place_ = Place::MetadataStart;
      return true;
    }
    check_name(name);
    if (!names_.insert(name).second) fail_twice(text("the tensor \"", shown(name), "\""));
    if (names_.size() > kMaxTensors) {
      fail(ErrorCode::Limit, "there are too many tensors", text("over ", kMaxTensors), text("at most ", kMaxTensors));
    }
    item_.name = std::move(name);
    num_offsets_ = 0;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    place_ = Place::TensorStart;
    return true;
  }

  void check_name(const std::string& name) const {
    if (name.empty()) fail(ErrorCode::Name, "a tensor has no name", "\"\"", "a name");
    if (name.size() > kMaxNameBytes) {
      fail(ErrorCode::Name, "a tensor's name is too long", text(name.size(), " bytes"),
           text("at most ", kMaxNameBytes, " bytes"));
    }
    if (name.find('\0') != std::string::npos) {
      fail(ErrorCode::Name, "a tensor's name holds a NUL", text("\"", name.c_str(), "...\""), "a name without NUL");
    }
  }

  bool field_key(const std::string& field) {
    bool unknown = false;
    bool& seen = field == "dtype"          ? has_dtype_
                 : field == "shape"        ? has_shape_
                 : field == "data_offsets" ? has_offsets_
                                           : unknown;
    if (seen && &seen != &unknown) fail_twice(text("the field ", field));
    seen = true;
    place_ = field == "dtype"          ? Place::DType
             : field == "shape"        ? Place::ShapeStart
             : field == "data_offsets" ? Place::OffsetsStart
                                       : Place::Unknown;
    if (unknown) header_.warnings.push_back(text("tensor \"", item_.name, "\" has the unknown field \"", field, "\""));
    return true;
  }

  bool add_dim(std::uint64_t value) {
    if (value > std::numeric_limits<std::int64_t>::max()) {
      fail(ErrorCode::Overflow, "a dimension is too large", text(value), "less than 2^63");
    }
    if (item_.shape.size() == kMaxRank) {
      fail(ErrorCode::Limit, "the shape has too many dimensions", text("over ", kMaxRank), text("at most ", kMaxRank));
    }
    item_.shape.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool add_offset(std::uint64_t value) {
    if (num_offsets_ == 0) item_.begin = value;
    if (num_offsets_ == 1) item_.end = value;
    ++num_offsets_;
    return true;
  }

  void finish_item() {
    const char* missing = !has_dtype_ ? "dtype" : !has_shape_ ? "shape" : !has_offsets_ ? "data_offsets" : nullptr;
    if (missing != nullptr) {
      fail_kind(text("the field ", missing, " is missing"), "the other fields", "dtype, shape and data_offsets");
    }
    header_.items.push_back(std::exchange(item_, {}));
  }

  static constexpr int kTensorDepth = 2;  // inside the top object and a tensor's object

  SafetensorsHeader& header_;
  std::string_view path_;
  Place place_ = Place::Start;
  int depth_ = 0;
  bool has_metadata_ = false;
  std::string key_;
  std::unordered_set<std::string> names_;
  SafetensorsItem item_;
  int num_offsets_ = 0;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, std::string_view path) {
  SafetensorsHeader header;
  HeaderReader reader(header, path);
  nlohmann::json::sax_parse(json, &reader);
  return header;
}

}  // namespace lathe
