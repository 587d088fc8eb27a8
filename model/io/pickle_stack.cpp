#include "model/io/pickle_stack.h"

#include <algorithm>

namespace lathe {

namespace {

constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxStack = 1'000'000;
constexpr int kMaxDepth = 64;
constexpr std::uint32_t kAbsent = 0xffffffff;

// The values that every pickle begins with.
constexpr std::uint32_t kNone = 0;
constexpr std::uint32_t kFalse = 1;
constexpr std::uint32_t kTrue = 2;
constexpr std::uint32_t kEmptyTuple = 3;

}  // namespace

PickleStack::PickleStack(const PickleCursor& cursor) : cursor_(cursor) {
  pickle_.values.push_back({.kind = PickleKind::None});
  pickle_.values.push_back({.kind = PickleKind::Bool, .number = 0});
  pickle_.values.push_back({.kind = PickleKind::Bool, .number = 1});
  pickle_.values.push_back({.kind = PickleKind::Tuple});
}

std::vector<std::uint32_t> PickleStack::pop_many(std::size_t count) {
  if (stack_.size() - floor() < count) {
    cursor_.fail({.code = ErrorCode::Opcode,
                  .what = "the pickle takes values that are not there",
                  .got = text(stack_.size() - floor()),
                  .expected = text(count)});
  }
  std::vector<std::uint32_t> out(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return out;
}

std::vector<std::uint32_t> PickleStack::pop_to_mark() {
  if (marks_.empty()) {
    cursor_.fail({.code = ErrorCode::Opcode, .what = "the pickle closes what it did not open", .got = "no open mark"});
  }
  std::vector<std::uint32_t> out = pop_many(stack_.size() - marks_.back());
  marks_.pop_back();
  return out;
}

void PickleStack::push(std::uint32_t value) {
  if (stack_.size() >= kMaxStack) {
    cursor_.fail({.code = ErrorCode::Limit,
                  .what = "the pickle puts too many values on its stack",
                  .got = "one more",
                  .expected = text("at most ", kMaxStack)});
  }
  stack_.push_back(value);
}

void PickleStack::push(PickleValue value) {
  if (pickle_.values.size() >= kMaxValues) {
    cursor_.fail({.code = ErrorCode::Limit,
                  .what = "the pickle has too many values",
                  .got = "one more",
                  .expected = text("at most ", kMaxValues)});
  }
  pickle_.values.push_back(std::move(value));
  push(static_cast<std::uint32_t>(pickle_.values.size() - 1));
}

void PickleStack::push_bool(bool value) { push(value ? kTrue : kFalse); }
void PickleStack::push_none() { push(kNone); }

void PickleStack::push_tuple(std::vector<std::uint32_t> items) {
  if (items.empty()) return push(kEmptyTuple);
  const std::uint16_t depth = depth_around(items);
  push({.kind = PickleKind::Tuple, .depth = depth, .items = std::move(items)});
}

void PickleStack::mark() {
  if (marks_.size() >= kMaxStack) {
    cursor_.fail({.code = ErrorCode::Limit,
                  .what = "the pickle opens too many tuples, lists or dictionaries at once",
                  .got = "one more",
                  .expected = text("at most ", kMaxStack)});
  }
  marks_.push_back(stack_.size());
}

void PickleStack::put(std::uint64_t index) {
  if (stack_.size() <= floor()) {
    cursor_.fail(
        {.code = ErrorCode::Opcode, .what = "the pickle notes a value that is not there", .got = "an empty stack"});
  }
  // Picklers count from 0, and to note a value takes a byte at least.
  if (index >= cursor_.size()) {
    cursor_.fail({.code = ErrorCode::Limit,
                  .what = "the pickle notes a value under an impossible number",
                  .got = text(index),
                  .expected = text("below ", cursor_.size())});
  }
  if (index >= memo_.size()) memo_.resize(index + 1, kAbsent);
  memo_[index] = stack_.back();
}

void PickleStack::get(std::uint64_t index) {
  if (index >= memo_.size() || memo_[index] == kAbsent) {
    cursor_.fail({.code = ErrorCode::Opcode,
                  .what = "the pickle asks for a value that it did not note",
                  .got = text("number ", index)});
  }
  push(memo_[index]);
}

std::uint16_t PickleStack::depth_around(const std::vector<std::uint32_t>& items) const {
  int depth = 0;
  for (const std::uint32_t item : items) depth = std::max<int>(depth, pickle_.at(item).depth + 1);
  if (depth > kMaxDepth) {
    cursor_.fail({.code = ErrorCode::Limit,
                  .what = "values are nested too deep",
                  .got = text(depth, " levels"),
                  .expected = text("at most ", kMaxDepth, " levels")});
  }
  return static_cast<std::uint16_t>(depth);
}

void PickleStack::wrong_kind(std::string what, PickleKind got, PickleKind expected) const {
  cursor_.fail({.code = ErrorCode::Opcode,
                .what = std::move(what),
                .got = std::string(kind_name(got)),
                .expected = std::string(kind_name(expected))});
}

Pickle PickleStack::take() {
  pickle_.root = pop();
  if (!stack_.empty() || !marks_.empty()) {
    cursor_.fail({.code = ErrorCode::Opcode,
                  .what = "the pickle stops with values left over",
                  .got = text(stack_.size()),
                  .expected = "none"});
  }
  pickle_.bytes = cursor_.offset();
  return std::move(pickle_);
}

}  // namespace lathe
