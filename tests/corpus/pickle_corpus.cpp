#include <algorithm>
#include <iterator>

#include "tests/corpus/bad_file.h"
#include "tests/corpus/pickle_builder.h"

// Files of PyTorch whose archive is sound and whose pickle is not.

namespace lathe {
namespace {

using namespace pickle;

constexpr std::optional<ErrorCode> kOpens = std::nullopt;

BadFile stream(const std::string& name, const std::string& data_pkl, std::optional<ErrorCode> expected) {
  return pytorch_file("pickle_" + name, archive(data_pkl).bytes(), expected);
}

/// {"a": tensor, "x": value}: what stands beside the tensors is read as strictly.
BadFile beside(const std::string& name, const std::string& value, std::optional<ErrorCode> expected) {
  return stream(name, program(dict_of(Tensor().value()) + string("x") + value + "s"), expected);
}

std::vector<BadFile> shapes_of_the_stream() {
  const std::string good = program(dict_of(Tensor().value()));
  const std::string framed = "\x80\x04\x95" + std::string(8, '\0') + good.substr(2);
  return {
      stream("empty", "", ErrorCode::Truncated),
      stream("protocol_alone", "\x80\x02", ErrorCode::Truncated),
      stream("cut_in_a_text", good.substr(0, 7), ErrorCode::Truncated),
      stream("cut_in_a_number", good.substr(0, good.size() - 60), ErrorCode::Truncated),
      stream("no_stop", good.substr(0, good.size() - 1), ErrorCode::Truncated),
      stream("bytes_after_stop", good + "cos\nsystem\n", ErrorCode::Trailing),
      stream("second_pickle", good + good, ErrorCode::Trailing),
      stream("protocol_0", program(dict_of(Tensor().value()), 0), ErrorCode::Version),
      stream("protocol_1", program(dict_of(Tensor().value()), 1), ErrorCode::Version),
      stream("protocol_4", program(dict_of(Tensor().value()), 4), kOpens),
      stream("protocol_5", program(dict_of(Tensor().value()), 5), kOpens),
      stream("protocol_6", program(dict_of(Tensor().value()), 6), ErrorCode::Version),
      stream("frame", framed, kOpens),
      stream("no_protocol", good.substr(2), ErrorCode::Opcode),
      stream("values_left_over", program("NN"), ErrorCode::Opcode),
      stream("mark_left_open", program("}("), ErrorCode::Opcode),
      stream("a_list", program("]"), ErrorCode::Schema),
      stream("a_tensor", program(Tensor().value()), ErrorCode::Schema),
      stream("no_tensors", program(kEmptyDict), ErrorCode::Schema),
      stream("keys_without_tensors", program(dict_of(number(1))), ErrorCode::Schema),
      stream("tensor_without_name", program(kEmptyDict + number(1) + Tensor().value() + "s"), ErrorCode::Schema),
      stream("name_empty", program(kEmptyDict + string("") + Tensor().value() + "s"), ErrorCode::Name),
      stream("name_twice", program(dict_of(Tensor().value()) + string("a") + Tensor().value() + "s"),
             ErrorCode::DuplicateKey),
      stream("name_not_utf8", program(kEmptyDict + string("\xff") + Tensor().value() + "s"), ErrorCode::Utf8),
  };
}

std::vector<BadFile> globals() {
  std::vector<BadFile> cases;
  const std::vector<std::pair<const char*, const char*>> unsafe{{"os", "system"},
                                                                {"posix", "system"},
                                                                {"nt", "system"},
                                                                {"builtins", "eval"},
                                                                {"builtins", "exec"},
                                                                {"builtins", "getattr"},
                                                                {"__builtin__", "eval"},
                                                                {"subprocess", "Popen"},
                                                                {"sys", "exit"},
                                                                {"torch", "load"},
                                                                {"torch.hub", "load"},
                                                                {"torch.jit", "load"},
                                                                {"torch._utils", "_rebuild_sparse_tensor"},
                                                                {"torch._utils", "_rebuild_qtensor"},
                                                                {"torch._utils", "_rebuild_tensor_v2.__globals__"},
                                                                {"torch", "QInt8Storage"},
                                                                {"numpy.core.multiarray", "_reconstruct"},
                                                                {"collections", "Counter"},
                                                                {"collections", "OrderedDict\r"},
                                                                {"", ""}};
  for (const auto& [module, name] : unsafe) {
    const std::string call = global(module, name) + tuple({string("touch executed")}) + "R";
    cases.push_back(beside(std::string("global_") + module + "_" + name, call, ErrorCode::UnsafeGlobal));
  }
  cases.push_back(stream("global_first", program(global("os", "system") + tuple({string("touch executed")}) + "R"),
                         ErrorCode::UnsafeGlobal));
  cases.push_back(beside("stack_global_os", string("os") + string("system") + "\x93", ErrorCode::UnsafeGlobal));
  cases.push_back(beside("stack_global_good", string("collections") + string("OrderedDict") + "\x93)R", kOpens));
  cases.push_back(beside("stack_global_number", number(1) + string("system") + "\x93", ErrorCode::Opcode));
  cases.push_back(beside("global_without_end", "cos", ErrorCode::Truncated));
  cases.push_back(stream("global_cut_off",
                         "\x80\x02"
                         "cos\nsys",
                         ErrorCode::Truncated));
  cases.push_back(beside("global_1_mb", "c" + std::string(1'000'000, 'x') + "\nx\n", ErrorCode::Limit));
  cases.push_back(beside("global_not_utf8", global("\xff\xfe", "x"), ErrorCode::Utf8));
  cases.push_back(
      beside("ordered_dict_with_attributes", kOrderedDict + kEmptyDict + string("_metadata") + "}sb", kOpens));
  cases.push_back(beside("ordered_dict_with_arguments", global("collections", "OrderedDict") + tuple({"N"}) + "R",
                         ErrorCode::Opcode));
  return cases;
}

std::vector<BadFile> opcodes() {
  std::vector<BadFile> cases;
  const auto add = [&](const char* name, const std::string& value, ErrorCode expected = ErrorCode::Opcode) {
    cases.push_back(beside(name, value, expected));
  };
  add("inst", "(ios\nsystem\n");
  add("obj", "(" + global("torch", "Size") + "o");
  add("ext1", "\x82\x01");
  add("ext2", std::string("\x83\x01\x00", 3));
  add("ext4", std::string("\x84\x01\x00\x00\x00", 5));
  add("newobj", global("collections", "OrderedDict") + ")\x81");
  add("newobj_ex", global("collections", "OrderedDict") + ")}\x92");
  add("bytearray8", "\x96" + std::string(8, '\0'));
  add("next_buffer", "\x97");
  add("persid", "Pstorage\n");
  add("dup", "N2");
  add("pop", "NN0");
  add("long4_negative", "\x8b\xff\xff\xff\xff");
  add("text_of_4_gib", "X\xff\xff\xff\xff", ErrorCode::Limit);
  add("long1_of_255_bytes", "\x8a\xff" + std::string(255, '\1'), ErrorCode::Limit);
  add("note_2p31", "Nr\xff\xff\xff\x7f", ErrorCode::Limit);
  add("note_of_nothing_noted", "h\x63");
  add("note_2p31_of_nothing", "j\xff\xff\xff\x7f");
  add("tuple_without_mark", "t");
  add("tuple3_of_too_few", "(NN\x87");
  add("setitem_on_a_list", "]NNs");
  add("setitem_on_a_tensor", Tensor().value() + "NNs");
  add("setitems_odd", "}(Nu");
  add("append_on_a_dict", "}Na");
  add("append_on_a_tuple", ")Na");
  add("reduce_of_a_text", string("os.system") + ")R");
  add("reduce_of_a_dtype", global("torch", "float32") + ")R");
  add("reduce_without_a_tuple", global("torch", "Size") + "NR");
  add("reduce_with_too_few", global("torch._utils", "_rebuild_tensor_v2") + ")R");
  add("reduce_with_too_many", global("torch", "Size") + tuple({"N", "N", "N"}) + "R");
  add("size_of_a_number", global("torch", "Size") + tuple({"N"}) + "R");
  add("parameter_of_a_text", global("torch._utils", "_rebuild_parameter") + tuple({string("x"), kFalse, "N"}) + "R");
  add("build_on_a_tensor", Tensor().value() + "}b");
  add("list_in_itself", "]q\1h\1a");
  add("dict_in_itself", "}q\1" + string("x") + "h\1s");
  add("persistent_id_of_a_text", string("/etc/passwd") + "Q", ErrorCode::Schema);
  add("persistent_id_of_a_module", tuple({string("module"), "N", "N", "N", "N"}) + "Q", ErrorCode::Schema);
  cases.push_back(stream("setitem_on_nothing", program("s"), ErrorCode::Opcode));
  return cases;
}

std::vector<BadFile> bombs() {
  std::string nested = ")";
  nested += std::string(200'000, '\x85');
  std::string fan_out = "Nq\1";
  for (int i = 0; i < 60; ++i) fan_out += "h\1h\1\x86q\1";
  const std::string fan_in = "(" + fan_out + "t";  // all of them stay on the stack
  std::string deeper = "Nq\1";
  for (int i = 0; i < 100; ++i) deeper += "h\1h\1\x86q\1";
  return {
      beside("nested_200k", nested, ErrorCode::Limit),
      beside("3m_empty_tuples", "(" + std::string(3'000'000, ')') + "t", ErrorCode::Limit),
      beside("3m_marks", std::string(3'000'000, '('), ErrorCode::Limit),
      beside(
          "3m_lists",
          [] {
            std::string lists = "]";
            for (int i = 0; i < 3'000'000; ++i) lists += "]a";
            return lists;
          }(),
          ErrorCode::Limit),
      beside("2p60_nodes", fan_in, kOpens),
      beside("2p100_nodes", "(" + deeper + "t", ErrorCode::Limit),
  };
}

BadFile tensor(const std::string& name, const Tensor& tensor, std::optional<ErrorCode> expected) {
  return pytorch_file("tensor_" + name, archive(program(dict_of(tensor.value()))).bytes(), expected);
}

std::vector<BadFile> tensors() {
  constexpr std::int64_t kLarge = std::int64_t{1} << 62;
  const std::string long_2p63 = std::string("\x8a\x09") + std::string(7, '\0') + "\x80" + '\0';
  const std::string half = global("torch", "HalfStorage");
  const std::string bytes = global("torch.storage", "UntypedStorage");
  const std::vector<std::int64_t> rank17(17, 1);
  const std::string two_types = kEmptyDict + string("a") + Tensor().value() + "s" + string("b") +
                                Tensor{.type = half, .num_values = number(8)}.value() + "s";
  return {
      tensor("numel_too_big", {.num_values = number(1 << 20), .sizes = numbers({1 << 20})}, ErrorCode::Size),
      tensor("numel_too_small", {.num_values = number(2), .sizes = numbers({2})}, ErrorCode::Size),
      tensor("numel_negative", {.num_values = number(-4)}, ErrorCode::Size),
      tensor("numel_2p62", {.num_values = number(kLarge)}, ErrorCode::Overflow),
      tensor("numel_2p63", {.num_values = long_2p63}, ErrorCode::Size),
      tensor("numel_a_text", {.num_values = string("4")}, ErrorCode::Schema),
      tensor("size_too_big", {.sizes = numbers({1 << 20})}, ErrorCode::Range),
      tensor("size_negative", {.sizes = numbers({-4})}, ErrorCode::Range),
      tensor("size_2p63", {.sizes = tuple({long_2p63})}, ErrorCode::Overflow),
      tensor("offset_too_big", {.offset = number(1 << 20)}, ErrorCode::Range),
      tensor("offset_one_too_big", {.offset = number(1)}, ErrorCode::Range),
      tensor("offset_2p62", {.offset = number(kLarge)}, ErrorCode::Range),
      tensor("offset_negative", {.offset = number(-64)}, ErrorCode::Range),
      tensor("stride_too_big", {.strides = numbers({1 << 20})}, ErrorCode::Range),
      tensor("stride_negative", {.strides = numbers({-1})}, ErrorCode::Range),
      tensor("stride_times_size_overflows", {.strides = numbers({kLarge})}, ErrorCode::Overflow),
      tensor("sizes_overflow", {.sizes = numbers({kLarge, 4}), .strides = numbers({0, 0})}, ErrorCode::Overflow),
      tensor("sizes_overflow_beside_0", {.sizes = numbers({kLarge, 4, 0}), .strides = numbers({0, 0, 0})},
             ErrorCode::Overflow),
      tensor("expanded", {.sizes = numbers({1 << 20, 4}), .strides = numbers({0, 1})}, ErrorCode::Range),
      tensor("overlapping_within_its_storage", {.sizes = numbers({2, 2}), .strides = numbers({1, 1})}, kOpens),
      tensor("transposed", {.sizes = numbers({2, 2}), .strides = numbers({1, 2})}, kOpens),
      tensor("empty", {.sizes = numbers({0, 5}), .strides = numbers({5, 1})}, kOpens),
      tensor("strides_missing", {.strides = numbers({})}, ErrorCode::Schema),
      tensor("rank_17", {.sizes = numbers(rank17), .strides = numbers(rank17)}, ErrorCode::Limit),
      tensor("dtype_of_another_type", {.type = half, .num_values = number(8), .dtype = global("torch", "float32")},
             ErrorCode::Dtype),
      tensor("dtype_missing", {.type = bytes, .num_values = number(16)}, ErrorCode::Dtype),
      tensor("bytes_as_f32", {.type = bytes, .num_values = number(16), .dtype = global("torch", "float32")}, kOpens),
      tensor("location_cuda_99", {.location = "cuda:99"}, kOpens),
      tensor("requires_grad_a_text", {.requires_grad = string("no")}, ErrorCode::Schema),
      tensor("storage_type_a_dtype", {.type = global("torch", "float32")}, ErrorCode::Schema),
      tensor("key_upwards", {.key = "../data.pkl"}, ErrorCode::Truncated),
      pytorch_file("tensor_storage_of_two_dtypes", archive(program(two_types)).bytes(), ErrorCode::Dtype),
      pytorch_file(
          "tensor_bytes_of_odd_size",
          archive(
              program(dict_of(Tensor{
                  .type = bytes, .num_values = number(15), .sizes = numbers({3}), .dtype = global("torch", "float32")}
                                  .value())),
              std::string(15, '\0'))
              .bytes(),
          ErrorCode::Size),
  };
}

/// The form before archives, piece by piece.
struct Legacy {
  std::string magic = program(std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12));
  std::string version = program(number(1001));
  std::string machine = program(kEmptyDict + string("little_endian") + "\x88s");
  std::string storage = global("torch", "FloatStorage");
  std::string view = "N";
  std::string keys = program("]" + string("0") + "a");
  std::int64_t num_values = 4;
  std::string values = std::string(16, '\0');

  std::string bytes() const {
    const std::string id = tuple({string("storage"), storage, string("0"), string("cpu"), number(4), view}) + "Q";
    const std::string made = global("torch._utils", "_rebuild_tensor_v2") +
                             tuple({id, number(0), numbers({4}), numbers({1}), kFalse, kOrderedDict}) + "R";
    std::string out = magic + version + machine + program(dict_of(made)) + keys;
    append(out, num_values);
    return out + values;
  }
};

std::vector<BadFile> legacy() {
  std::vector<BadFile> cases;
  const auto add = [&](const char* name, const Legacy& file, std::optional<ErrorCode> expected) {
    cases.push_back(pytorch_file(std::string("legacy_") + name, file.bytes(), expected));
  };
  add("ok", {}, kOpens);
  add("a_bare_pickle", {.magic = program(dict_of(number(1)))}, ErrorCode::WrongFormat);
  add("os_system_first", {.magic = program(global("os", "system") + tuple({string("touch executed")}) + "R")},
      ErrorCode::UnsafeGlobal);
  add("version_1000", {.version = program(number(1000))}, ErrorCode::Version);
  add("big_endian", {.machine = program(kEmptyDict + string("little_endian") + "\x89s")}, ErrorCode::Endian);
  add("of_no_machine", {.machine = program("]")}, ErrorCode::Endian);
  add("view_of_a_storage", {.view = tuple({string("1"), number(0), number(4)})}, ErrorCode::Schema);
  add("keys_a_text", {.keys = program(string("0"))}, ErrorCode::Schema);
  add("key_of_nothing", {.keys = program("]" + string("1") + "a")}, ErrorCode::Schema);
  add("key_missing", {.keys = program("]"), .num_values = 0, .values = ""}, ErrorCode::Trailing);
  add("another_size", {.num_values = 3}, ErrorCode::Size);
  add("size_negative", {.num_values = -1}, ErrorCode::Size);
  add("cut_off", {.values = std::string(15, '\0')}, ErrorCode::Truncated);
  add("trailing", {.values = std::string(17, '\0')}, ErrorCode::Trailing);
  Legacy twice{.keys = program("]" + string("0") + "a" + string("0") + "a")};
  twice.values += std::string("\4\0\0\0\0\0\0\0", 8) + std::string(16, '\0');
  add("storage_twice", twice, ErrorCode::DuplicateKey);
  return cases;
}

}  // namespace

std::vector<BadFile> pickle_corpus() {
  std::vector<BadFile> corpus;
  for (auto part : {shapes_of_the_stream, globals, opcodes, bombs, tensors, legacy}) {
    std::ranges::move(part(), std::back_inserter(corpus));
  }
  return corpus;
}

}  // namespace lathe
