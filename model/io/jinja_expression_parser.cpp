#include "model/io/jinja_expression_parser.h"

#include <algorithm>
#include <array>

namespace lathe::jinja {

namespace {

using Kind = Expression::Kind;

constexpr int kMaxDepth = 200;

/// One method for each level of precedence, the loosest first.
/// Source: Jinja 3.1, parser.py.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  Expression conditional(bool allow_if) {
    check(++depth_ < kMaxDepth, "line ", tokens_.line(), ": nested more than ", kMaxDepth, " deep");
    Expression value = any();
    while (allow_if && tokens_.take_name("if")) {
      Expression condition = any();
      Expression otherwise = tokens_.take_name("else") ? conditional(true) : node(Kind::Name, "(nothing)");
      value = node(Kind::If, "", {std::move(value), std::move(condition), std::move(otherwise)});
    }
    --depth_;
    return value;
  }

 private:
  /// Trees stay shallow, long chains of operators too, because they are walked by recursion.
  Expression node(Kind kind, std::string name, std::vector<Expression> children = {}) const {
    int depth = 0;
    for (const Expression& child : children) depth = std::max(depth, child.depth + 1);
    check(depth < kMaxDepth, "line ", tokens_.line(), ": nested more than ", kMaxDepth, " deep");
    return {kind, std::move(name), nullptr, std::move(children), {}, tokens_.line(), depth};
  }

  Expression literal(nlohmann::ordered_json value) const {
    Expression result = node(Kind::Literal, "");
    result.literal = std::move(value);
    return result;
  }

  Expression any() {
    Expression left = all();
    while (tokens_.take_name("or")) left = node(Kind::Or, "", {std::move(left), all()});
    return left;
  }

  Expression all() {
    Expression left = negation();
    while (tokens_.take_name("and")) left = node(Kind::And, "", {std::move(left), negation()});
    return left;
  }

  Expression negation() {
    if (!tokens_.take_name("not")) return comparison();
    check(++depth_ < kMaxDepth, "line ", tokens_.line(), ": nested more than ", kMaxDepth, " deep");
    Expression result = node(Kind::Not, "", {negation()});
    --depth_;
    return result;
  }

  Expression comparison() {
    Expression left = sum();
    for (int count = 0;; ++count) {
      const bool is_not_in = tokens_.is_name("not");
      const std::string op = tokens_.peek().text;
      if (is_not_in || tokens_.is_name("in")) {
        tokens_.take();
        if (is_not_in) tokens_.expect_name("in");
        left = node(Kind::In, "", {std::move(left), sum()});
        if (is_not_in) left = node(Kind::Not, "", {std::move(left)});
      } else if (tokens_.is(Token::Kind::Operator) &&
                 (op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=")) {
        tokens_.take();
        left = node(Kind::Binary, op, {std::move(left), sum()});
      } else {
        return left;
      }
      if (count > 0) tokens_.fail("no second comparison in a row");
    }
  }

  template <std::size_t N>
  Expression left_to_right(const std::array<const char*, N>& operators, Expression (ExpressionParser::*operand)()) {
    Expression left = (this->*operand)();
    for (std::size_t i = 0; i < N;) {
      if (tokens_.take_operator(operators[i])) {
        left = node(Kind::Binary, operators[i], {std::move(left), (this->*operand)()});
        i = 0;
      } else {
        ++i;
      }
    }
    return left;
  }

  Expression sum() { return left_to_right(std::array{"+", "-"}, &ExpressionParser::joined); }
  Expression joined() { return left_to_right(std::array{"~"}, &ExpressionParser::product); }
  Expression product() { return left_to_right(std::array{"*", "/", "//", "%"}, &ExpressionParser::filtered); }

  Expression filtered() {
    Expression value = unary();
    while (true) {
      if (tokens_.take_operator("|")) {
        Expression filter = node(Kind::Filter, tokens_.expect(Token::Kind::Name, "a filter"), {std::move(value)});
        if (tokens_.take_operator("(")) arguments(filter);
        value = std::move(filter);
      } else if (tokens_.take_name("is")) {
        const bool negated = tokens_.take_name("not");
        Expression test = node(Kind::Test, tokens_.expect(Token::Kind::Name, "a test"), {std::move(value)});
        if (tokens_.take_operator("(")) {
          arguments(test);
        } else if (tokens_.is(Token::Kind::String) || tokens_.is(Token::Kind::Integer) || tokens_.is_operator("[")) {
          test.children.push_back(primary());
        }
        value = std::move(test);
        if (negated) value = node(Kind::Not, "", {std::move(value)});
      } else {
        return value;
      }
    }
  }

  Expression unary() {
    check(++depth_ < kMaxDepth, "line ", tokens_.line(), ": nested more than ", kMaxDepth, " deep");
    Expression result = tokens_.take_operator("-") ? node(Kind::Negate, "", {unary()}) : postfix(primary());
    --depth_;
    return result;
  }

  Expression primary() {
    const Token token = tokens_.peek();
    switch (token.kind) {
      case Token::Kind::String:
        return literal(strings());
      case Token::Kind::Integer:
        return literal(std::stoll(tokens_.take().text));
      case Token::Kind::Float:
        return literal(std::stod(tokens_.take().text));
      case Token::Kind::Name:
        return named(tokens_.take().text);
      default:
        break;
    }
    if (tokens_.take_operator("(")) {
      Expression inner = conditional(true);
      if (tokens_.is_operator(",")) return list(std::move(inner), ")");
      tokens_.expect_operator(")");
      return inner;
    }
    if (tokens_.take_operator("[")) {
      if (tokens_.take_operator("]")) return node(Kind::List, "");
      return list(conditional(true), "]");
    }
    if (tokens_.take_operator("{")) return dict();
    tokens_.fail("a value");
  }

  std::string strings() {
    std::string all;
    while (tokens_.is(Token::Kind::String)) all += tokens_.take().text;
    return all;
  }

  Expression named(const std::string& name) const {
    if (name == "true" || name == "True") return literal(true);
    if (name == "false" || name == "False") return literal(false);
    if (name == "none" || name == "None") return literal(nullptr);
    return node(Kind::Name, name);
  }

  Expression list(Expression first, const char* end) {
    std::vector<Expression> items{std::move(first)};
    while (tokens_.take_operator(",") && !tokens_.is_operator(end)) items.push_back(conditional(true));
    tokens_.expect_operator(end);
    return node(Kind::List, "", std::move(items));
  }

  Expression dict() {
    std::vector<Expression> items;
    while (!tokens_.take_operator("}")) {
      if (!items.empty()) tokens_.expect_operator(",");
      if (tokens_.take_operator("}")) break;
      items.push_back(conditional(true));
      tokens_.expect_operator(":");
      items.push_back(conditional(true));
    }
    return node(Kind::Dict, "", std::move(items));
  }

  Expression postfix(Expression value) {
    while (true) {
      if (tokens_.take_operator(".")) {
        value = node(Kind::Attribute, tokens_.expect(Token::Kind::Name, "an attribute"), {std::move(value)});
      } else if (tokens_.take_operator("[")) {
        value = subscript(std::move(value));
      } else if (tokens_.take_operator("(")) {
        value = node(Kind::Call, "", {std::move(value)});
        arguments(value);
      } else {
        return value;
      }
    }
  }

  Expression subscript(Expression object) {
    std::vector<Expression> parts{std::move(object)};
    bool is_slice = false;
    const auto part = [&] {
      const bool is_left_out = tokens_.is_operator(":") || tokens_.is_operator("]");
      parts.push_back(is_left_out ? literal(nullptr) : conditional(true));
    };
    part();
    while (parts.size() < 4 && tokens_.take_operator(":")) {
      is_slice = true;
      part();
    }
    tokens_.expect_operator("]");
    if (is_slice) parts.resize(4, literal(nullptr));
    return node(is_slice ? Kind::Slice : Kind::Item, "", std::move(parts));
  }

  void arguments(Expression& call) {
    while (!tokens_.take_operator(")")) {
      if (call.children.size() > 1) tokens_.expect_operator(",");
      if (tokens_.take_operator(")")) break;
      call.children.push_back(conditional(true));
      call.depth = std::max(call.depth, call.children.back().depth + 1);
      const Expression& argument = call.children.back();
      if (argument.kind == Kind::Name && tokens_.take_operator("=")) {
        call.keywords.push_back(argument.name);
        call.children.back() = conditional(true);
      } else if (!call.keywords.empty()) {
        tokens_.fail("a keyword after a keyword");
      }
    }
  }

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace

Expression parse_expression(TokenStream& tokens, bool allow_if) {
  return ExpressionParser(tokens).conditional(allow_if);
}

}  // namespace lathe::jinja
