#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/io/jinja_error.h"
#include "model/io/jinja_lexer.h"

namespace lathe::jinja {

/// Reads tokens one by one, with the questions that a parser asks of the next one.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek() const { return tokens_[at_]; }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  int line() const { return peek().line; }

  bool is(Token::Kind kind) const { return peek().kind == kind; }
  bool is_operator(std::string_view op) const { return is(Token::Kind::Operator) && peek().text == op; }
  bool is_name(std::string_view name) const { return is(Token::Kind::Name) && peek().text == name; }

  /// Whether the tokens here are a block tag that starts with this name.
  bool is_block(std::string_view name) const {
    return is(Token::Kind::BlockBegin) && tokens_[at_ + 1].kind == Token::Kind::Name && tokens_[at_ + 1].text == name;
  }

  bool take_operator(std::string_view op) { return is_operator(op) && (take(), true); }
  bool take_name(std::string_view name) { return is_name(name) && (take(), true); }

  std::string expect(Token::Kind kind, const char* what) {
    if (!is(kind)) fail(what);
    return take().text;
  }
  void expect_operator(std::string_view op) {
    if (!take_operator(op)) fail(std::string(op));
  }
  void expect_name(std::string_view name) {
    if (!take_name(name)) fail(std::string(name));
  }

  [[noreturn]] void fail(const std::string& expected) const {
    refuse("line ", line(), ": got \"", peek().text, "\", expected ", expected);
  }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace lathe::jinja
