#include "model/io/pytorch_tensor.h"

#include <algorithm>

#include "model/data/error.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxRank = 16;

/// Which values of a storage a tensor has.
struct View {
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

/// Whether the values lie in order, without gaps. A dimension of one value has no stride.
bool is_contiguous(const View& view) {
  std::int64_t expected = 1;
  for (std::size_t i = view.sizes.size(); i-- > 0;) {
    if (view.sizes[i] != 1 && view.strides[i] != expected) return false;
    expected *= view.sizes[i];
  }
  return true;
}

class TensorReader {
 public:
  TensorReader(const PytorchContent& content, const std::string& path) : content_(content), path_(path) {}

  PytorchTensor read(const NamedTensorValue& named) {
    name_ = named.name;
    const PickleValue& tensor = *named.tensor;
    const StorageId id = read_storage_id(content_.pickle, argument(tensor, 0, PickleKind::Storage), path_);
    const DType dtype = dtype_of(tensor, id);
    const PytorchStorage& storage = storage_of(id);
    const std::int64_t value_bytes = dtype_bytes(dtype);
    const auto storage_bytes = static_cast<std::int64_t>(storage.bytes.size());
    if (storage_bytes % value_bytes != 0) {
      fail({.code = ErrorCode::Size,
            .what = "the storage does not divide into values",
            .got = text(storage_bytes, " bytes"),
            .expected = text("a multiple of ", value_bytes)});
    }
    View view = read_view(tensor);
    const std::int64_t values = num_values(view, dtype);
    const std::int64_t extent = check_inside(view, values, storage_bytes / value_bytes);
    PytorchTensor out{.name = named.name,
                      .dtype = dtype,
                      .shape = view.sizes,
                      .strides = {},
                      .bytes = {},
                      .checksum = storage.checksum};
    if (values == 0) return out;
    out.bytes = storage.bytes.subspan(static_cast<std::size_t>(view.offset * value_bytes),
                                      static_cast<std::size_t>(extent * value_bytes));
    if (!is_contiguous(view)) out.strides = std::move(view.strides);
    return out;
  }

 private:
  [[noreturn]] void fail(ErrorParts parts) const {
    parts.where = text("tensor \"", name_, "\" of ", path_);
    if (parts.expected.empty()) parts.expected = "a view of a storage, as torch.save writes it";
    if (parts.hint.empty()) parts.hint = "download the file again, or save it again with torch.save";
    throw Error(std::move(parts));
  }

  const PickleValue& argument(const PickleValue& tensor, std::size_t i, PickleKind kind) const {
    const PickleValue& value = content_.pickle.at(tensor.items[i]);
    if (value.kind != kind) {
      fail({.code = ErrorCode::Schema,
            .what = text("argument ", i, " of ", tensor.global->name, " is of another kind"),
            .got = std::string(kind_name(value.kind)),
            .expected = std::string(kind_name(kind))});
    }
    return value;
  }

  /// Sizes or strides: whole numbers from 0.
  std::vector<std::int64_t> numbers(const PickleValue& tensor, std::size_t i) const {
    const PickleValue& tuple = argument(tensor, i, PickleKind::Tuple);
    if (tuple.items.size() > kMaxRank) {
      fail({.code = ErrorCode::Limit,
            .what = "the tensor has too many dimensions",
            .got = text(tuple.items.size()),
            .expected = text("at most ", kMaxRank)});
    }
    std::vector<std::int64_t> out;
    for (const std::uint32_t item : tuple.items) {
      const PickleValue& value = content_.pickle.at(item);
      if (value.kind != PickleKind::Int) {
        fail({.code = value.kind == PickleKind::Long ? ErrorCode::Overflow : ErrorCode::Schema,
              .what = "a size or stride is not a whole number of 64 bits",
              .got = std::string(kind_name(value.kind))});
      }
      out.push_back(from_zero(value, "a size or stride"));
    }
    return out;
  }

  std::int64_t from_zero(const PickleValue& value, std::string_view what) const {
    if (value.number < 0) {
      fail({.code = ErrorCode::Range,
            .what = text(what, " is negative"),
            .got = text(value.number),
            .expected = "0 or more"});
    }
    return value.number;
  }

  View read_view(const PickleValue& tensor) const {
    View view{.offset = from_zero(argument(tensor, 1, PickleKind::Int), "the offset"),
              .sizes = numbers(tensor, 2),
              .strides = numbers(tensor, 3)};
    if (view.sizes.size() != view.strides.size()) {
      fail({.code = ErrorCode::Schema,
            .what = "the tensor has another number of strides than of sizes",
            .got = text(view.strides.size()),
            .expected = text(view.sizes.size())});
    }
    if (tensor.items.size() > 4) argument(tensor, 4, PickleKind::Bool);  // requires_grad
    return view;
  }

  DType dtype_of(const PickleValue& tensor, const StorageId& id) const {
    std::optional<DType> dtype = id.dtype;
    if (tensor.global->global == PickleGlobal::TensorV3) {
      const AllowedGlobal& own = *argument(tensor, 6, PickleKind::Global).global;
      if (own.global != PickleGlobal::Dtype || (dtype && dtype != own.dtype)) {
        fail({.code = ErrorCode::Dtype,
              .what = "the tensor's dtype is not its storage's",
              .got = std::string(own.name),
              .expected = dtype ? std::string(dtype_name(*dtype)) : "a dtype"});
      }
      dtype = own.dtype;
    }
    if (!dtype) fail({.code = ErrorCode::Dtype, .what = "the tensor and its storage have no dtype", .got = "bytes"});
    return *dtype;
  }

  const PytorchStorage& storage_of(const StorageId& id) {
    const auto found = content_.storages.find(id.key);
    if (found == content_.storages.end()) {
      fail({.code = ErrorCode::Truncated,
            .what = text("the storage \"", id.key, "\" is missing"),
            .got = text(content_.storages.size(), " other storages")});
    }
    const auto [known, is_new] = dtypes_.try_emplace(id.key, id.dtype);
    if (!is_new && known->second != id.dtype) {
      fail({.code = ErrorCode::Dtype,
            .what = text("the storage \"", id.key, "\" has two dtypes"),
            .got = id.dtype ? std::string(dtype_name(*id.dtype)) : "bytes",
            .expected = known->second ? std::string(dtype_name(*known->second)) : "bytes"});
    }
    std::int64_t bytes = 0;
    const bool overflows = __builtin_mul_overflow(id.num_values, id.dtype ? dtype_bytes(*id.dtype) : 1, &bytes);
    if (overflows || bytes != static_cast<std::int64_t>(found->second.bytes.size())) {
      fail({.code = overflows ? ErrorCode::Overflow : ErrorCode::Size,
            .what = text("the storage \"", id.key, "\" has another size than its record"),
            .got = text(id.num_values, " values"),
            .expected = text(found->second.bytes.size(), " bytes")});
    }
    return found->second;
  }

  std::int64_t num_values(const View& view, DType dtype) const {
    const auto bytes = stored_bytes(dtype, view.sizes);
    if (!bytes) {
      fail({.code = ErrorCode::Overflow, .what = "the tensor's sizes are too large", .got = shape_text(view.sizes)});
    }
    return *bytes / dtype_bytes(dtype);
  }

  /// From the view's first value to its last, how many values of the storage there are: all of them inside it.
  std::int64_t check_inside(const View& view, std::int64_t values, std::int64_t available) const {
    if (values == 0) return 0;
    std::int64_t last = view.offset;
    bool overflows = false;
    for (std::size_t i = 0; i < view.sizes.size(); ++i) {
      std::int64_t step = 0;
      overflows |= __builtin_mul_overflow(view.sizes[i] - 1, view.strides[i], &step);
      overflows |= __builtin_add_overflow(last, step, &last);
    }
    if (overflows) {
      fail({.code = ErrorCode::Overflow,
            .what = "the tensor's strides are too large",
            .got = text(shape_text(view.sizes), " with strides ", shape_text(view.strides))});
    }
    if (last >= available) {
      fail({.code = ErrorCode::Range,
            .what = "the tensor reaches beyond its storage",
            .got = text("value ", last),
            .expected = text("below ", available)});
    }
    if (values > available) {
      fail({.code = ErrorCode::Range,
            .what = "the tensor repeats the values of a smaller storage (an expanded view)",
            .got = text(values, " values"),
            .expected = text("at most ", available),
            .hint = "save the file again with the tensor's contiguous() copy"});
    }
    return last - view.offset + 1;
  }

  const PytorchContent& content_;
  const std::string& path_;
  std::string_view name_;  // of the tensor being read
  std::map<std::string_view, std::optional<DType>> dtypes_;
};

}  // namespace

StorageId read_storage_id(const Pickle& pickle, const PickleValue& storage, const std::string& path) {
  const PickleValue& type = pickle.at(storage.items[1]);
  const PickleValue& key = pickle.at(storage.items[2]);
  const PickleValue& location = pickle.at(storage.items[3]);
  const PickleValue& size = pickle.at(storage.items[4]);
  const bool sound = type.kind == PickleKind::Global && type.global->global == PickleGlobal::Storage &&
                     key.kind == PickleKind::String && location.kind == PickleKind::String &&
                     (size.kind == PickleKind::Int || size.kind == PickleKind::Long);
  const bool possible = size.kind == PickleKind::Int && size.number >= 0;
  if (!sound || !possible) {
    throw Error({.code = sound ? ErrorCode::Size : ErrorCode::Schema,
                 .what = sound ? "a storage has an impossible size" : "a reference to a storage is of another form",
                 .where = path,
                 .got = sound ? text(size.number) : text("a size that is ", kind_name(size.kind)),
                 .expected = "(\"storage\", type, key, location, size from 0)",
                 .hint = "download the file again, or save it again with torch.save"});
  }
  return {.key = key.text, .dtype = type.global->dtype, .num_values = size.number};
}

std::vector<PytorchTensor> read_pytorch_tensors(const PytorchContent& content,
                                                const std::vector<NamedTensorValue>& tensors, const std::string& path) {
  TensorReader reader(content, path);
  std::vector<PytorchTensor> out;
  out.reserve(tensors.size());
  for (const NamedTensorValue& tensor : tensors) out.push_back(reader.read(tensor));
  return out;
}

}  // namespace lathe
