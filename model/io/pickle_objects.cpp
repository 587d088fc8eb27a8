#include "model/io/pickle_objects.h"

#include <algorithm>

#include "model/io/utf8.h"

namespace lathe {

namespace {

/// A name as it is shown: what no terminal takes for a command.
std::string shown(std::string_view name) {
  std::string out(name);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
  return out;
}

void push_part(PickleStack& stack, const PickleValue& arguments, PickleKind expected) {
  const std::uint32_t part = arguments.items.front();
  if (stack.at(part).kind != expected) {
    stack.wrong_kind("the pickle calls a function with a wrong argument", stack.at(part).kind, expected);
  }
  stack.push(part);
}

void push_result(PickleStack& stack, const AllowedGlobal& function, const PickleValue& arguments) {
  switch (function.global) {
    case PickleGlobal::OrderedDict:
      return stack.push({.kind = PickleKind::Dict});
    case PickleGlobal::Device:
      return stack.push({.kind = PickleKind::Device});
    case PickleGlobal::Size:
      return push_part(stack, arguments, PickleKind::Tuple);
    case PickleGlobal::Parameter:
      return push_part(stack, arguments, PickleKind::Tensor);
    default:
      return stack.push(
          {.kind = PickleKind::Tensor, .depth = arguments.depth, .global = &function, .items = arguments.items});
  }
}

}  // namespace

void push_global(PickleStack& stack, std::string_view module, std::string_view name) {
  if (!is_utf8(module) || !is_utf8(name)) {
    stack.cursor().fail({.code = ErrorCode::Utf8, .what = "a global's name is not UTF-8", .got = "other bytes"});
  }
  const AllowedGlobal* global = find_global(module, name);
  if (global == nullptr) {
    stack.cursor().fail({.code = ErrorCode::UnsafeGlobal,
                         .what = "the file asks for Python code that no file of weights needs; none of it was run",
                         .got = shown(text(module, ".", name)),
                         .expected = "tensors, numbers, texts, lists and dictionaries",
                         .hint = "if you trust the file, load it in Python and save the weights alone with "
                                 "torch.save(model.state_dict(), ...); else delete it"});
  }
  stack.push({.kind = PickleKind::Global, .global = global});
}

void stack_global(PickleStack& stack) {
  const PickleValue& name = stack.pop_value();
  const PickleValue& module = stack.pop_value();
  if (module.kind != PickleKind::String || name.kind != PickleKind::String ||
      module.text.size() + name.text.size() > 2 * kMaxGlobalBytes) {
    stack.cursor().fail({.code = ErrorCode::Opcode,
                         .what = "a global's name is not a short text",
                         .got = text(kind_name(module.kind), " and ", kind_name(name.kind))});
  }
  push_global(stack, module.text, name.text);
}

void reduce(PickleStack& stack) {
  const PickleValue& arguments = stack.pop_value();
  const PickleValue& function = stack.pop_value();
  if (function.kind != PickleKind::Global || !function.global->is_function()) {
    stack.cursor().fail({.code = ErrorCode::Opcode,
                         .what = "the pickle calls what is not a function",
                         .got = std::string(kind_name(function.kind))});
  }
  const AllowedGlobal& called = *function.global;
  const auto count = static_cast<int>(arguments.items.size());
  if (arguments.kind != PickleKind::Tuple || count < called.min_arguments || count > called.max_arguments) {
    stack.cursor().fail({.code = ErrorCode::Opcode,
                         .what = text("the pickle calls ", called.name, " with the wrong arguments"),
                         .got = text(kind_name(arguments.kind), " of ", count),
                         .expected = text("a tuple of ", called.min_arguments, " to ", called.max_arguments)});
  }
  push_result(stack, called, arguments);
}

void build(PickleStack& stack) {
  const PickleValue& state = stack.pop_value();
  const std::uint32_t target = stack.pop();
  const PickleKind kind = stack.at(target).kind;
  if (kind != PickleKind::Dict || state.kind != PickleKind::Dict) {
    stack.wrong_kind("the pickle sets attributes of what has none", kind, PickleKind::Dict);
  }
  stack.push(target);
}

void persistent_id(PickleStack& stack) {
  const PickleValue& id = stack.pop_value();
  const bool sound = id.kind == PickleKind::Tuple && id.items.size() >= 5 && id.items.size() <= 6 &&
                     stack.at(id.items[0]).kind == PickleKind::String && stack.at(id.items[0]).text == "storage";
  if (!sound) {
    stack.cursor().fail({.code = ErrorCode::Schema,
                         .what = "the pickle refers to something outside of it that is not a tensor's storage",
                         .got = text(kind_name(id.kind), " of ", id.items.size()),
                         .expected = "(\"storage\", type, key, location, size)"});
  }
  stack.push({.kind = PickleKind::Storage, .depth = id.depth, .items = id.items});
}

}  // namespace lathe
