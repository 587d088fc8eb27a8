#include "model/io/safetensors_header.h"

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
    if (!dtype)
      fail("dtype \"", value, "\" is not one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64 to I8, U64 to U8, BOOL");
    item_.dtype = *dtype;
    place_ = Place::Tensor;
    return true;
  }

  bool key(string_t& value) override {
    if (place_ == Place::Top) return top_key(value);
    if (place_ == Place::Tensor) return field_key(value);
    if (place_ == Place::Metadata) {
      key_ = std::move(value);
      if (header_.metadata.contains(key_)) fail("__metadata__ has the key \"", key_, "\" twice");
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
    if (place_ == Place::Offsets && num_offsets_ != 2) fail("data_offsets has ", num_offsets_, " numbers, expected 2");
    if (place_ == Place::Shape || place_ == Place::Offsets) place_ = Place::Tensor;
    leave_unknown();
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    fail("the header is not JSON: ", error.what());
    return false;
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

  template <typename... Parts>
  void fail(const Parts&... parts) const {
    throw Error(text("[safetensors] ", item_.name.empty() ? "" : text("tensor \"", item_.name, "\": "), parts...,
                     "; file: ", path_));
  }

  void check_depth() {
    if (++depth_ > kMaxDepth) fail("the header is nested more than ", kMaxDepth, " levels deep");
  }

  void leave_unknown() {
    if (place_ == Place::Unknown && depth_ == kTensorDepth) place_ = Place::Tensor;
  }

  /// A value that only an unknown field may have: says what was expected here instead.
  bool scalar(std::string_view got) {
    switch (place_) {
      case Place::Unknown:
        leave_unknown();
        return true;
      case Place::Start:
        fail("the header is ", got, ", expected an object");
        break;
      case Place::MetadataStart:
        fail("__metadata__ is ", got, ", expected an object");
        break;
      case Place::Metadata:
        fail("__metadata__ \"", key_, "\" is ", got, ", expected a string");
        break;
      case Place::TensorStart:
        fail("got ", got, ", expected an object with dtype, shape and data_offsets");
        break;
      case Place::DType:
        fail("dtype is ", got, ", expected a string");
        break;
      case Place::ShapeStart:
        fail("shape is ", got, ", expected an array");
        break;
      case Place::Shape:
        fail("shape holds ", got, ", expected whole numbers from 0");
        break;
      case Place::OffsetsStart:
        fail("data_offsets is ", got, ", expected an array");
        break;
      case Place::Offsets:
        fail("data_offsets holds ", got, ", expected whole numbers from 0");
        break;
      default:
        fail("unexpected ", got);
    }
    return false;
  }

  bool top_key(std::string& name) {
    if (name == "__metadata__") {
      if (has_metadata_) fail("__metadata__ is there twice");
      has_metadata_ = true;
      place_ = Place::MetadataStart;
      return true;
    }
    if (name.empty()) fail("a tensor has an empty name");
    if (name.size() > kMaxNameBytes)
      fail("a tensor's name has ", name.size(), " bytes, expected at most ", kMaxNameBytes);
    if (name.find('\0') != std::string::npos) fail("the tensor name \"", name.c_str(), "...\" holds a NUL");
    if (!names_.insert(name).second) fail("the tensor \"", name, "\" is there twice");
    if (names_.size() > kMaxTensors) fail("more than ", kMaxTensors, " tensors");
    item_.name = std::move(name);
    num_offsets_ = 0;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    place_ = Place::TensorStart;
    return true;
  }

  bool field_key(const std::string& field) {
    bool unknown = false;
    bool& seen = field == "dtype"          ? has_dtype_
                 : field == "shape"        ? has_shape_
                 : field == "data_offsets" ? has_offsets_
                                           : unknown;
    if (seen) fail("the field ", field, " is there twice");
    seen = true;
    place_ = field == "dtype"          ? Place::DType
             : field == "shape"        ? Place::ShapeStart
             : field == "data_offsets" ? Place::OffsetsStart
                                       : Place::Unknown;
    if (unknown) header_.warnings.push_back(text("tensor \"", item_.name, "\" has the unknown field \"", field, "\""));
    return true;
  }

  bool add_dim(std::uint64_t value) {
    if (value > std::numeric_limits<std::int64_t>::max()) fail("shape holds ", value, ", which is too large");
    if (item_.shape.size() == kMaxRank) fail("more than ", kMaxRank, " dimensions");
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
    if (!has_dtype_) fail("the field dtype is missing");
    if (!has_shape_) fail("the field shape is missing");
    if (!has_offsets_) fail("the field data_offsets is missing");
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
  const std::size_t valid = valid_utf8_prefix(json);
  check(valid == json.size(), "[safetensors] the header is not UTF-8 at byte ", valid, "; file: ", path);
  check(!json.starts_with("\xEF\xBB\xBF"), "[safetensors] the header starts with a byte order mark; file: ", path);
  const std::size_t nul = json.find('\0');  // the parser would take it as the end
  check(nul == std::string_view::npos, "[safetensors] the header has a NUL at byte ", nul, "; file: ", path);
  SafetensorsHeader header;
  HeaderReader reader(header, path);
  nlohmann::json::sax_parse(json, &reader);
  return header;
}

}  // namespace lathe
