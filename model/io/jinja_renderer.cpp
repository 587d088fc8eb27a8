#include "model/io/jinja_renderer.h"

#include <array>
#include <map>

#include "model/data/error.h"
#include "model/io/jinja_limits.h"
#include "model/io/jinja_values.h"
#include "model/io/utf8.h"

namespace lathe::jinja {

namespace {

constexpr std::array<std::string_view, 4> kFunctions{"raise_exception", "namespace", "range", "strftime_now"};

class Renderer {
 public:
  explicit Renderer(const Json& variables) : scopes_(1) {
    for (const auto& [name, value] : variables.items()) scopes_[0][name] = value;
  }

  void run(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) run(statement);
  }

  std::string take_output() { return std::move(output_); }

 private:
  using Kind = Expression::Kind;

  void run(const Statement& statement) {
    limits_.step(statement.line);
    switch (statement.kind) {
      case Statement::Kind::Text:
        output_ += statement.text;
        break;
      case Statement::Kind::Print:
        output_ += to_text(value_of(statement.value));
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
    }
    Limits::check_output(output_.size(), statement.line);
  }

  void run_if(const Statement& statement) {
    for (const Statement::Branch& branch : statement.branches) {
      if (is_true(value_of(branch.condition))) return run(branch.body);
    }
  }

  void run_for(const Statement& statement) {
    const Json items = items_to_loop_over(statement);
    if (items.empty()) return run(statement.otherwise);
    for (std::size_t i = 0; i < items.size(); ++i) {
      limits_.step(statement.line);
      // What a loop's body sets is gone with the round, as in Jinja.
      scopes_.emplace_back();
      scopes_.back()["loop"] = {{"index", i + 1},
                                {"index0", i},
                                {"revindex", items.size() - i},
                                {"revindex0", items.size() - i - 1},
                                {"first", i == 0},
                                {"last", i + 1 == items.size()},
                                {"length", items.size()}};
      if (i > 0) scopes_.back()["loop"]["previtem"] = items[i - 1];
      if (i + 1 < items.size()) scopes_.back()["loop"]["nextitem"] = items[i + 1];
      assign(statement, items[i]);
      run(statement.branches.front().body);
      scopes_.pop_back();
    }
  }

  Json items_to_loop_over(const Statement& statement) {
    Value value = value_of(statement.value);
    if (!value) return Json::array();
    check(value->is_array() || value->is_object(), "[chat template] line ", statement.line, ": a loop over ",
          value->type_name(), " is not supported");
    Json items = value->is_object() ? keys_of(*value) : std::move(*value);
    const Expression& filter = statement.branches.front().condition;
    if (filter.kind == Kind::Literal && is_true(filter.literal)) return items;
    Json chosen = Json::array();
    for (Json& item : items) {
      scopes_.emplace_back();
      assign(statement, item);
      const bool fits = is_true(value_of(filter));
      scopes_.pop_back();
      if (fits) chosen.push_back(std::move(item));
    }
    return chosen;
  }

  void assign(const Statement& loop, const Json& item) {
    if (loop.targets.size() == 1) {
      scopes_.back()[loop.targets[0]] = item;
      return;
    }
    check(item.is_array() && item.size() == loop.targets.size(), "[chat template] line ", loop.line, ": a loop with ",
          loop.targets.size(), " names over items of another size");
    for (std::size_t i = 0; i < item.size(); ++i) scopes_.back()[loop.targets[i]] = item[i];
  }

  void run_set(const Statement& statement) {
    const Value value = value_of(statement.value);
    if (statement.targets.size() == 1) {
      if (value) {
        scopes_.back()[statement.targets[0]] = *value;
      } else {
        scopes_.back().erase(statement.targets[0]);
      }
      return;
    }
    Json* space = find(statement.targets[0]);
    check(space != nullptr && space->is_object(), "[chat template] line ", statement.line, ": ", statement.targets[0],
          " is not a namespace");
    (*space)[statement.targets[1]] = value.value_or(nullptr);
  }

  Json* find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto found = scope->find(name);
      if (found != scope->end()) return &found->second;
    }
    return nullptr;
  }

  Value value_of(const Expression& e) {
    if (!is_place(e)) return limits_.admit(evaluate(e), e.line);
    const Json* found = place_of(e);
    return found == nullptr ? Value() : limits_.admit(*found, e.line);
  }

  /// Whether it is a variable, or something inside one.
  static bool is_place(const Expression& e) {
    return e.kind == Kind::Name || ((e.kind == Kind::Attribute || e.kind == Kind::Item) && is_place(e.children[0]));
  }

  /// Where a variable or a part of one lies, or null: of a long conversation only what is used is copied.
  const Json* place_of(const Expression& e) {
    limits_.step(e.line);
    if (e.kind == Kind::Name) return find(e.name);
    const Json* object = place_of(e.children[0]);
    check(object != nullptr, "[chat template] line ", e.line, ": an item of something undefined");
    return find_item(*object, e.kind == Kind::Attribute ? Json(e.name) : value_of(e.children[1]));
  }

  Value evaluate(const Expression& e) {
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
        return slice(value_of(e.children[0]), value_of(e.children[1]), value_of(e.children[2]),
                     value_of(e.children[3]));
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
  Value evaluate_logic(const Expression& e) {
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

  Value list_of(const Expression& e) {
    Json list = Json::array();
    for (const Expression& child : e.children) list.push_back(value_of(child).value_or(nullptr));
    return list;
  }

  Value dict_of(const Expression& e) {
    Json dict = Json::object();
    for (std::size_t i = 0; i + 1 < e.children.size(); i += 2) {
      dict[to_text(value_of(e.children[i]))] = value_of(e.children[i + 1]).value_or(nullptr);
    }
    return dict;
  }

  bool passes_test(const Expression& e) {
    const Expression& subject = e.children[0];
    const bool is_function = subject.kind == Kind::Name && find(subject.name) == nullptr &&
                             std::find(kFunctions.begin(), kFunctions.end(), subject.name) != kFunctions.end();
    return test(e.name, is_function ? Value(Json(true)) : value_of(subject));
  }

  Arguments arguments_of(const Expression& e) {
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

  Value call(const Expression& e) {
    const Expression& callee = e.children[0];
    const Arguments arguments = arguments_of(e);
    if (callee.kind == Kind::Attribute) return method(callee.name, value_of(callee.children[0]), arguments);
    const std::string& name = callee.name;
    if (name == "raise_exception") {
      const std::string reason = to_text(arguments.get(0, "message")).substr(0, 2000);
      throw Error(text("[chat template] does not accept this conversation: ", repair_utf8(reason).text));
    }
    if (name == "namespace") {
      Json space = Json::object();
      for (const auto& [key, value] : arguments.named) space[key] = value.value_or(nullptr);
      return space;
    }
    if (name == "range") return range(arguments);
    if (name == "strftime_now") return Json(now_as(to_text(arguments.get(0, "format"))));
    throw Error(text("[chat template] line ", e.line, ": the function ", name, "() is not supported"));
  }

  Value range(const Arguments& arguments) {
    const auto number = [&](std::size_t place) {
      const Value value = arguments.get(place, "");
      check(value && value->is_number_integer(), "[chat template] range() of other than whole numbers");
      return value->get<std::int64_t>();
    };
    const bool has_begin = arguments.values.size() > 1;
    check(arguments.values.size() <= 2, "[chat template] range() with a step is not supported");
    Json numbers = Json::array();
    for (std::int64_t i = has_begin ? number(0) : 0; i < number(has_begin ? 1 : 0); ++i) {
      limits_.step(0);
      numbers.push_back(i);
    }
    return numbers;
  }

  std::vector<std::map<std::string, Json>> scopes_;
  std::string output_;
  Limits limits_;
};

}  // namespace

std::string render(const std::vector<Statement>& statements, const nlohmann::ordered_json& variables) {
  Renderer renderer(variables);
  renderer.run(statements);
  return renderer.take_output();
}

}  // namespace lathe::jinja
