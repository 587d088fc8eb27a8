#include "model/io/unpickler.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "model/data/error.h"
#include "model/io/pickle_cursor.h"
#include "model/io/pickle_objects.h"
#include "model/io/pickle_stack.h"
#include "model/io/utf8.h"

namespace lathe {

namespace {

constexpr std::size_t kMaxLongBytes = 16;

class Unpickler {
 public:
  Unpickler(std::span<const std::byte> bytes, const std::string& where) : cursor_(bytes, where), stack_(cursor_) {}

  Pickle read() {
    check_protocol();
    while (true) {
      const std::uint8_t opcode = cursor_.take_opcode();
      if (opcode == '.') return stack_.take();
      if (!number(opcode) && !characters(opcode) && !container(opcode) && !note(opcode) && !object(opcode)) {
        cursor_.fail({.code = ErrorCode::Opcode,
                      .what = "the pickle does what no file of weights needs",
                      .got = text("opcode ", int{opcode})});
      }
    }
  }

 private:
  void check_protocol() {
    if (cursor_.take_opcode() != 0x80) {
      cursor_.fail(
          {.code = ErrorCode::Opcode, .what = "the pickle does not begin with its protocol", .got = "another opcode"});
    }
    const int protocol = cursor_.take<std::uint8_t>();
    if (protocol < 2 || protocol > 5) {
      cursor_.fail({.code = ErrorCode::Version,
                    .what = "this protocol of pickle is not read",
                    .got = text(protocol),
                    .expected = "2 to 5"});
    }
  }

  // The groups of opcodes: each function says whether the opcode is one of its own. Names: Lib/pickletools.py.

  bool number(std::uint8_t opcode) {
    switch (opcode) {
      case 'N':
        stack_.push_none();
        return true;
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        stack_.push_bool(opcode == 0x88);
        return true;
      case 'J':  // BININT
        push_int(cursor_.take<std::int32_t>());
        return true;
      case 'K':  // BININT1
        push_int(cursor_.take<std::uint8_t>());
        return true;
      case 'M':  // BININT2
        push_int(cursor_.take<std::uint16_t>());
        return true;
      case 0x8a:  // LONG1
        push_long(cursor_.take<std::uint8_t>());
        return true;
      case 'G':  // BINFLOAT: big-endian, and of no use here
        cursor_.take<std::uint64_t>();
        stack_.push({.kind = PickleKind::Float});
        return true;
      default:
        return false;
    }
  }

  bool characters(std::uint8_t opcode) {
    switch (opcode) {
      case 'X':  // BINUNICODE
        push_string(cursor_.take_text(cursor_.take<std::uint32_t>()));
        return true;
      case 0x8c:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING, from Python 2
        push_string(cursor_.take_text(cursor_.take<std::uint8_t>()));
        return true;
      case 'B':  // BINBYTES
        stack_.push({.kind = PickleKind::Bytes, .text = cursor_.take_text(cursor_.take<std::uint32_t>())});
        return true;
      case 'C':  // SHORT_BINBYTES
        stack_.push({.kind = PickleKind::Bytes, .text = cursor_.take_text(cursor_.take<std::uint8_t>())});
        return true;
      default:
        return false;
    }
  }

  bool container(std::uint8_t opcode) {
    switch (opcode) {
      case '(':
        stack_.mark();
        return true;
      case ')':  // EMPTY_TUPLE
        stack_.push_tuple({});
        return true;
      case 't':
        stack_.push_tuple(stack_.pop_to_mark());
        return true;
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        stack_.push_tuple(stack_.pop_many(opcode - 0x84U));
        return true;
      case ']':
      case '}':
        stack_.push({.kind = opcode == ']' ? PickleKind::List : PickleKind::Dict});
        return true;
      case 'a':  // APPEND
        extend(PickleKind::List, stack_.pop_many(1));
        return true;
      case 'e':  // APPENDS
        extend(PickleKind::List, stack_.pop_to_mark());
        return true;
      case 's':  // SETITEM
        extend(PickleKind::Dict, stack_.pop_many(2));
        return true;
      case 'u':  // SETITEMS
        extend(PickleKind::Dict, stack_.pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  bool note(std::uint8_t opcode) {
    switch (opcode) {
      case 'q':  // BINPUT
        stack_.put(cursor_.take<std::uint8_t>());
        return true;
      case 'r':  // LONG_BINPUT
        stack_.put(cursor_.take<std::uint32_t>());
        return true;
      case 0x94:  // MEMOIZE
        stack_.put_next();
        return true;
      case 'h':  // BINGET
        stack_.get(cursor_.take<std::uint8_t>());
        return true;
      case 'j':  // LONG_BINGET
        stack_.get(cursor_.take<std::uint32_t>());
        return true;
      case 0x95:  // FRAME: only a hint for readers of streams
        cursor_.take<std::uint64_t>();
        return true;
      default:
        return false;
    }
  }

  bool object(std::uint8_t opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = cursor_.take_line(kMaxGlobalBytes);
        push_global(stack_, module, cursor_.take_line(kMaxGlobalBytes));
        return true;
      }
      case 0x93:  // STACK_GLOBAL
        stack_global(stack_);
        return true;
      case 'Q':  // BINPERSID
        persistent_id(stack_);
        return true;
      case 'R':
        reduce(stack_);
        return true;
      case 'b':
        build(stack_);
        return true;
      default:
        return false;
    }
  }

  void push_int(std::int64_t value) { stack_.push({.kind = PickleKind::Int, .number = value}); }

  void push_string(std::string_view value) {
    if (!is_utf8(value))
      cursor_.fail({.code = ErrorCode::Utf8,
                    .what = "a text is not UTF-8",
                    .got = text("another byte at ", valid_utf8_prefix(value))});
    stack_.push({.kind = PickleKind::String, .text = value});
  }

  void push_long(std::size_t length) {
    if (length > kMaxLongBytes) {
      cursor_.fail({.code = ErrorCode::Limit,
                    .what = "a number is too large",
                    .got = text(length, " bytes"),
                    .expected = text("at most ", kMaxLongBytes)});
    }
    const std::string_view digits = cursor_.take_text(length);
    if (length > sizeof(std::int64_t)) return stack_.push({.kind = PickleKind::Long, .text = digits});
    // The sign fills the bytes that are not stored.
    std::int64_t value = length > 0 && static_cast<signed char>(digits.back()) < 0 ? -1 : 0;
    std::memcpy(&value, digits.data(), length);
    push_int(value);
  }

  /// Adds to the list or dict on top of the stack.
  void extend(PickleKind kind, const std::vector<std::uint32_t>& items) {
    const std::uint32_t target = stack_.pop();
    PickleValue& container = stack_.at(target);
    if (container.kind != kind) stack_.wrong_kind("the pickle adds to what cannot be added to", container.kind, kind);
    if (kind == PickleKind::Dict && items.size() % 2 != 0) {
      cursor_.fail({.code = ErrorCode::Opcode,
                    .what = "the pickle sets a key without a value",
                    .got = text(items.size(), " values"),
                    .expected = "pairs"});
    }
    if (std::find(items.begin(), items.end(), target) != items.end()) {
      cursor_.fail({.code = ErrorCode::Opcode, .what = text(kind_name(kind), " holds itself"), .got = "a cycle"});
    }
    container.depth = std::max(container.depth, stack_.depth_around(items));
    container.items.insert(container.items.end(), items.begin(), items.end());
    stack_.push(target);
  }

  PickleCursor cursor_;
  PickleStack stack_;
};

}  // namespace

std::string_view kind_name(PickleKind kind) {
  static constexpr std::array<std::string_view, 14> kNames{
      "nothing", "a bool", "a number",     "a large number", "a float",   "a text",   "bytes",
      "a tuple", "a list", "a dictionary", "a global name",  "a storage", "a tensor", "a device"};
  return kNames.at(static_cast<std::size_t>(kind));
}

Pickle read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  return Unpickler(bytes, where).read();
}

}  // namespace lathe
