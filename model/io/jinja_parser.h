#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::jinja {

/// An expression. What `children` are:
/// Literal: none · Name: none · List: items · Dict: key, value, key, value … · Attribute: object · Item: object, index
/// · Slice: object, begin, end, step (Literal null where left out) · Call: callee, arguments … (`keywords` names the
/// last ones) · Filter, Test: value, arguments … · Not, Negate: operand · If: then, condition, else · others:
/// left, right.
struct Expression {
  enum class Kind {
    Literal,
    Name,
    List,
    Dict,
    Attribute,
    Item,
    Slice,
    Call,
    Filter,
    Test,
    Not,
    Negate,
    If,
    And,
    Or,
    In,
    Binary
  };
  Kind kind = Kind::Literal;
  std::string name;  ///< of a name, attribute, filter or test; the sign of a binary operation
  nlohmann::ordered_json literal;
  std::vector<Expression> children;
  std::vector<std::string> keywords;
  int line = 0;
  int depth = 0;  ///< of the tree below
};

/// A statement and those inside it.
struct Statement {
  enum class Kind { Text, Print, If, For, Set, Macro, Break, Continue };
  struct Branch {
    Expression condition;
    std::vector<Statement> body;
  };
  Kind kind = Kind::Text;
  std::string text;  ///< of Text; the name of a Macro
  Expression value;  ///< what is printed, looped over or assigned; Macro: a list of defaults
  /// For: names of the items; Set: a name, or a namespace and its attribute; Macro: its parameters.
  std::vector<std::string> targets;
  /// If: in order, "else" as a literal true; For: the loop with its filter; Macro, Set of a block: the body.
  std::vector<Branch> branches;
  std::vector<Statement> otherwise;  ///< For: what to do when nothing was looped over
  int line = 0;
};

/// Parses the part of Jinja that chat templates use: if, for, set, macro and expressions.
/// Throws Error with the line for anything else.
std::vector<Statement> parse(std::string_view source);

}  // namespace lathe::jinja
