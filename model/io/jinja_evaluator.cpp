#include "model/io/jinja_evaluator.h"

#include "model/io/jinja_error.h"

namespace lathe::jinja {

using Kind = Expression::Kind;

Evaluator::Evaluator(const Json& variables, Macros macros) : macros_(std::move(macros)), scopes_(1) {
  for (const auto& [name, value] : variables.items()) scopes_[0][name] = value;
}

std::vector<Evaluator::Scope> Evaluator::enter_macro(Scope arguments) {
  std::vector<Scope> outer = std::exchange(scopes_, {});
  scopes_.push_back(std::move(outer.front()));
  scopes_.push_back(std::move(arguments));
  return outer;
}

void Evaluator::leave_macro(std::vector<Scope> outer) {
  outer.front() = std::move(scopes_.front());
  scopes_ = std::move(outer);
}

Json* Evaluator::find(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->find(name);
    if (found != scope->end()) return &found->second;
  }
  return nullptr;
}

Value Evaluator::value_of(const Expression& e) {
  if (!is_place(e)) return limits_.admit(evaluate(e), e.line);
  const Json* found = place_of(e);
  return found == nullptr ? Value() : limits_.admit(*found, e.line);
}

/// Whether it is a variable, or something inside one.
bool Evaluator::is_place(const Expression& e) {
  return e.kind == Kind::Name || ((e.kind == Kind::Attribute || e.kind == Kind::Item) && is_place(e.children[0]));
}

/// Where a variable or a part of one lies, or null: of a long conversation only what is used is copied.
const Json* Evaluator::place_of(const Expression& e) {
  limits_.step(e.line);
  if (e.kind == Kind::Name) return find(e.name);
  // First: a macro that is called here may change what the object lies in.
  const Value index = e.kind == Kind::Attribute ? Json(e.name) : value_of(e.children[1]);
  const Json* object = place_of(e.children[0]);
  check(object != nullptr, "line ", e.line, ": an item of something undefined");
  if (!object->is_string() || e.kind == Kind::Attribute) return find_item(*object, index);
  const Value character = item(*object, index);
  if (!character) return nullptr;
  character_ = *character;
  return &character_;
}

Value Evaluator::evaluate(const Expression& e) {
  limits_.step(e.line);
  switch (e.kind) {
    case Kind::Literal:
      return e.literal;
    case Kind::List:
      return list_of(e);
    case Kind::Dict:
      return dict_of(e);
    case Kind::Attribute:
      return item(value_of(e.children[0]), Json(e.name));
    case Kind::Item:
      return item(value_of(e.children[0]), value_of(e.children[1]));
    case Kind::Slice:
      return slice(value_of(e.children[0]), value_of(e.children[1]), value_of(e.children[2]), value_of(e.children[3]));
    case Kind::Call:
      return call(e);
    case Kind::Filter:
      return filter(e.name, value_of(e.children[0]), arguments_of(e));
    case Kind::Test:
      return Json(passes_test(e));
    case Kind::Negate:
      return binary("-", Json(0), value_of(e.children[0]));
    case Kind::Binary:
      return binary(e.name, value_of(e.children[0]), value_of(e.children[1]));
    default:
      return evaluate_logic(e);
  }
}

/// What does not need all of its operands, or gives true or false.
Value Evaluator::evaluate_logic(const Expression& e) {
  switch (e.kind) {
    case Kind::Not:
      return Json(!is_true(value_of(e.children[0])));
    case Kind::If:
      return value_of(e.children[is_true(value_of(e.children[1])) ? 0 : 2]);
    case Kind::And: {
      const Value left = value_of(e.children[0]);
      return is_true(left) ? value_of(e.children[1]) : left;
    }
    case Kind::Or: {
      const Value left = value_of(e.children[0]);
      return is_true(left) ? left : value_of(e.children[1]);
    }
    case Kind::In:
      return Json(contains(value_of(e.children[1]), value_of(e.children[0])));
    default:
      return std::nullopt;  // a name is a place
  }
}

Value Evaluator::list_of(const Expression& e) {
  Json list = Json::array();
  for (const Expression& child : e.children) list.push_back(value_of(child).value_or(nullptr));
  return list;
}

Value Evaluator::dict_of(const Expression& e) {
  Json dict = Json::object();
  for (std::size_t i = 0; i + 1 < e.children.size(); i += 2) {
    dict[to_text(value_of(e.children[i]))] = value_of(e.children[i + 1]).value_or(nullptr);
  }
  return dict;
}

bool Evaluator::passes_test(const Expression& e) {
  const Expression& subject = e.children[0];
  const bool is_called = subject.kind == Kind::Name && find(subject.name) == nullptr &&
                         (is_function(subject.name) || macros_.is_macro(subject.name));
  return test(e.name, is_called ? Value(Json(true)) : value_of(subject), arguments_of(e));
}

Arguments Evaluator::arguments_of(const Expression& e) {
  Arguments arguments;
  const std::size_t unnamed = e.children.size() - e.keywords.size();
  for (std::size_t i = 1; i < e.children.size(); ++i) {
    Value value = value_of(e.children[i]);
    if (i < unnamed) {
      arguments.values.push_back(std::move(value));
    } else {
      arguments.named.emplace_back(e.keywords[i - unnamed], std::move(value));
    }
  }
  return arguments;
}

Value Evaluator::call(const Expression& e) {
  const Expression& callee = e.children[0];
  const Arguments arguments = arguments_of(e);
  if (callee.kind == Kind::Attribute) return method(callee.name, value_of(callee.children[0]), arguments);
  const std::string& name = callee.name;
  if (macros_.is_macro(name)) return macros_.call(name, arguments);
  check(is_function(name), "line ", e.line, ": the function ", name, "() is not supported");
  return function(name, arguments);
}

}  // namespace lathe::jinja
