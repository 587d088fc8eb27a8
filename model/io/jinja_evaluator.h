#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/io/jinja_limits.h"
#include "model/io/jinja_parser.h"
#include "model/io/jinja_values.h"

namespace lathe::jinja {

/// The macros that a template defines, for the expressions that call them.
struct Macros {
  std::function<bool(const std::string& name)> is_macro;
  std::function<Value(const std::string& name, const Arguments& arguments)> call;
};

/// Evaluates expressions on variables in nested scopes. All functions throw Error for what cannot be done.
class Evaluator {
 public:
  using Scope = std::map<std::string, Json>;

  Evaluator(const Json& variables, Macros macros);

  Value value_of(const Expression& e);

  /// The innermost variable of that name, or null.
  Json* find(const std::string& name);

  Scope& scope() { return scopes_.back(); }
  void enter() { scopes_.emplace_back(); }
  void leave() { scopes_.pop_back(); }

  /// Leaves only the outermost scope and the arguments to be seen. Returns what leave_macro() needs.
  std::vector<Scope> enter_macro(Scope arguments);
  void leave_macro(std::vector<Scope> outer);

  Limits& limits() { return limits_; }

 private:
  static bool is_place(const Expression& e);
  const Json* place_of(const Expression& e);
  Value evaluate(const Expression& e);
  Value evaluate_logic(const Expression& e);
  Value list_of(const Expression& e);
  Value dict_of(const Expression& e);
  bool passes_test(const Expression& e);
  Arguments arguments_of(const Expression& e);
  Value call(const Expression& e);

  Macros macros_;
  std::vector<Scope> scopes_;
  Json character_;  // the last one that was taken out of a string
  Limits limits_;
};

}  // namespace lathe::jinja
