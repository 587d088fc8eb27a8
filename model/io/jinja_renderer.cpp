#include "model/io/jinja_renderer.h"

#include <map>
#include <utility>

#include "model/io/jinja_error.h"
#include "model/io/jinja_evaluator.h"

namespace lathe::jinja {

namespace {

constexpr int kMaxMacroDepth = 8;

class Renderer {
 public:
  explicit Renderer(const Json& variables)
      : evaluator_(variables,
                   {.is_macro = [this](const std::string& name) { return macros_.count(name) > 0; },
                    .call = [this](const std::string& name,
                                   const Arguments& arguments) { return run_macro(*macros_[name], arguments); }}) {}
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  void run(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
      run(statement);
      if (leaves_ != Leaves::Nothing) return;
    }
  }

  std::string take_output() { return std::move(output_); }

 private:
  enum class Leaves { Nothing, Round, Loop };

  void run(const Statement& statement) {
    evaluator_.limits().step(statement.line);
    switch (statement.kind) {
      case Statement::Kind::Text:
        output_ += statement.text;
        break;
      case Statement::Kind::Print:
        output_ += to_text(evaluator_.value_of(statement.value));
        break;
      case Statement::Kind::If:
        run_if(statement);
        break;
      case Statement::Kind::For:
        run_for(statement);
        break;
      case Statement::Kind::Set:
        run_set(statement);
        break;
      case Statement::Kind::Macro:
        macros_[statement.text] = &statement;
        break;
      case Statement::Kind::Break:
      case Statement::Kind::Continue:
        leaves_ = statement.kind == Statement::Kind::Break ? Leaves::Loop : Leaves::Round;
        break;
    }
    Limits::check_output(output_.size(), statement.line);
  }

  void run_if(const Statement& statement) {
    for (const Statement::Branch& branch : statement.branches) {
      if (is_true(evaluator_.value_of(branch.condition))) return run(branch.body);
    }
  }

  void run_for(const Statement& statement) {
    const Json items = items_to_loop_over(statement);
    if (items.empty()) return run(statement.otherwise);
    for (std::size_t i = 0; i < items.size(); ++i) {
      evaluator_.limits().step(statement.line);
      // What a loop's body sets is gone with the round, as in Jinja.
      evaluator_.enter();
      evaluator_.scope()["loop"] = {{"index", i + 1},
                                    {"index0", i},
                                    {"revindex", items.size() - i},
                                    {"revindex0", items.size() - i - 1},
                                    {"first", i == 0},
                                    {"last", i + 1 == items.size()},
                                    {"length", items.size()}};
      if (i > 0) evaluator_.scope()["loop"]["previtem"] = items[i - 1];
      if (i + 1 < items.size()) evaluator_.scope()["loop"]["nextitem"] = items[i + 1];
      assign(statement, items[i]);
      run(statement.branches.front().body);
      evaluator_.leave();
      if (std::exchange(leaves_, Leaves::Nothing) == Leaves::Loop) break;
    }
  }

  Json items_to_loop_over(const Statement& statement) {
    Value value = evaluator_.value_of(statement.value);
    if (!value) return Json::array();
    check(value->is_array() || value->is_object(), "line ", statement.line, ": a loop over ", value->type_name(),
          " is not supported");
    Json items = value->is_object() ? keys_of(*value) : std::move(*value);
    const Expression& filter = statement.branches.front().condition;
    if (filter.kind == Expression::Kind::Literal && is_true(filter.literal)) return items;
    Json chosen = Json::array();
    for (Json& item : items) {
      evaluator_.enter();
      assign(statement, item);
      const bool fits = is_true(evaluator_.value_of(filter));
      evaluator_.leave();
      if (fits) chosen.push_back(std::move(item));
    }
    return chosen;
  }

  void assign(const Statement& loop, const Json& item) {
    if (loop.targets.size() == 1) {
      evaluator_.scope()[loop.targets[0]] = item;
      return;
    }
    check(item.is_array() && item.size() == loop.targets.size(), "line ", loop.line, ": a loop with ",
          loop.targets.size(), " names over items of another size");
    for (std::size_t i = 0; i < item.size(); ++i) evaluator_.scope()[loop.targets[i]] = item[i];
  }

  void run_set(const Statement& statement) {
    const Value value = statement.branches.empty() ? evaluator_.value_of(statement.value)
                                                   : Value(text_of(statement.branches.front().body, statement.line));
    if (statement.targets.size() == 1) {
      if (value) {
        evaluator_.scope()[statement.targets[0]] = *value;
      } else {
        evaluator_.scope().erase(statement.targets[0]);
      }
      return;
    }
    Json* space = evaluator_.find(statement.targets[0]);
    check(space != nullptr && space->is_object(), "line ", statement.line, ": ", statement.targets[0],
          " is not a namespace");
    (*space)[statement.targets[1]] = value.value_or(nullptr);
  }

  /// What the statements would write.
  Json text_of(const std::vector<Statement>& statements, int line) {
    std::string outer = std::exchange(output_, {});
    run(statements);
    return *evaluator_.limits().admit(Json(std::exchange(output_, std::move(outer))), line);
  }

  /// A macro sees what is set outside of all loops, and its arguments.
  Value run_macro(const Statement& macro, const Arguments& arguments) {
    check(++macro_depth_ <= kMaxMacroDepth, "line ", macro.line, ": macros call each other more than ", kMaxMacroDepth,
          " deep");
    check(arguments.values.size() <= macro.targets.size(), "line ", macro.line, ": too many arguments for ",
          macro.text);
    Evaluator::Scope own;
    const std::size_t without_default = macro.targets.size() - macro.value.children.size();
    for (std::size_t i = 0; i < macro.targets.size(); ++i) {
      Value value = arguments.get(i, macro.targets[i]);
      if (!value && i >= without_default) value = evaluator_.value_of(macro.value.children[i - without_default]);
      if (value) own[macro.targets[i]] = std::move(*value);
    }
    std::vector<Evaluator::Scope> outer = evaluator_.enter_macro(std::move(own));
    Json text = text_of(macro.branches.front().body, macro.line);
    evaluator_.leave_macro(std::move(outer));
    --macro_depth_;
    return text;
  }

  Evaluator evaluator_;
  std::map<std::string, const Statement*> macros_;
  std::string output_;
  Leaves leaves_ = Leaves::Nothing;
  int macro_depth_ = 0;
};

}  // namespace

std::string render(const std::vector<Statement>& statements, const nlohmann::ordered_json& variables) {
  Renderer renderer(variables);
  renderer.run(statements);
  return renderer.take_output();
}

}  // namespace lathe::jinja
