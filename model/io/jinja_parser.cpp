#include "model/io/jinja_parser.h"

#include <initializer_list>
#include <utility>

#include "model/io/jinja_expression_parser.h"
#include "model/io/jinja_token_stream.h"

namespace lathe::jinja {

namespace {

constexpr int kMaxDepth = 50;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}

  std::vector<Statement> run() {
    std::vector<Statement> statements = body({});
    if (!tokens_.is(Token::Kind::End)) tokens_.fail("the end of the template");
    return statements;
  }

 private:
  /// Statements up to a block tag with one of these names, which is left to the caller.
  std::vector<Statement> body(std::initializer_list<std::string_view> ends) {
    check(++depth_ < kMaxDepth, "line ", tokens_.line(), ": nested more than ", kMaxDepth, " deep");
    std::vector<Statement> statements;
    while (!tokens_.is(Token::Kind::End) && !at_any(ends)) add_statement(statements);
    --depth_;
    return statements;
  }

  bool at_any(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names) {
      if (tokens_.is_block(name)) return true;
    }
    return false;
  }

  void add_statement(std::vector<Statement>& statements) {
    Statement statement;
    statement.line = tokens_.line();
    if (tokens_.is(Token::Kind::Text)) {
      statement.text = tokens_.take().text;
    } else if (tokens_.is(Token::Kind::PrintBegin)) {
      tokens_.take();
      statement.kind = Statement::Kind::Print;
      statement.value = parse_expression(tokens_);
      tokens_.expect(Token::Kind::PrintEnd, "}}");
    } else if (tokens_.is_block("if")) {
      read_if(statement);
    } else if (tokens_.is_block("for")) {
      read_for(statement);
    } else if (tokens_.is_block("set")) {
      read_set(statement);
    } else if (tokens_.is_block("macro")) {
      read_macro(statement);
    } else if (tokens_.is_block("break") || tokens_.is_block("continue")) {
      tokens_.take();
      statement.kind = tokens_.take().text == "break" ? Statement::Kind::Break : Statement::Kind::Continue;
      if (loops_ == 0) tokens_.fail("a loop around it");
      end_block();
    } else if (tokens_.is_block("generation")) {
      return read_generation(statements);
    } else {
      tokens_.expect(Token::Kind::BlockBegin, "text or a tag");
      tokens_.fail("one of the statements that Lathe knows: if, for, set, macro");
    }
    statements.push_back(std::move(statement));
  }

  void begin_block(std::string_view name) {
    tokens_.expect(Token::Kind::BlockBegin, "{%");
    tokens_.expect_name(name);
  }
  void end_block() { tokens_.expect(Token::Kind::BlockEnd, "%}"); }

  void read_if(Statement& statement) {
    statement.kind = Statement::Kind::If;
    begin_block("if");
    while (true) {
      Expression condition = parse_expression(tokens_);
      end_block();
      statement.branches.push_back({std::move(condition), body({"elif", "else", "endif"})});
      if (!tokens_.is_block("elif")) break;
      begin_block("elif");
    }
    if (tokens_.is_block("else")) {
      begin_block("else");
      end_block();
      Expression always;
      always.literal = true;
      statement.branches.push_back({std::move(always), body({"endif"})});
    }
    begin_block("endif");
    end_block();
  }

  void read_for(Statement& statement) {
    statement.kind = Statement::Kind::For;
    begin_block("for");
    do {
      statement.targets.push_back(tokens_.expect(Token::Kind::Name, "a name"));
    } while (tokens_.take_operator(","));
    tokens_.expect_name("in");
    statement.value = parse_expression(tokens_, /*allow_if=*/false);
    Expression filter;
    filter.literal = true;
    if (tokens_.take_name("if")) filter = parse_expression(tokens_);
    end_block();
    ++loops_;
    statement.branches.push_back({std::move(filter), body({"else", "endfor"})});
    --loops_;
    if (tokens_.is_block("else")) {
      begin_block("else");
      end_block();
      statement.otherwise = body({"endfor"});
    }
    begin_block("endfor");
    end_block();
  }

  void read_set(Statement& statement) {
    statement.kind = Statement::Kind::Set;
    begin_block("set");
    statement.targets.push_back(tokens_.expect(Token::Kind::Name, "a name"));
    if (tokens_.take_operator(".")) statement.targets.push_back(tokens_.expect(Token::Kind::Name, "an attribute"));
    if (statement.targets.size() == 1 && tokens_.is(Token::Kind::BlockEnd)) {
      end_block();
      statement.branches.push_back({{}, body({"endset"})});
      begin_block("endset");
      return end_block();
    }
    tokens_.expect_operator("=");
    statement.value = parse_expression(tokens_);
    end_block();
  }

  void read_macro(Statement& statement) {
    statement.kind = Statement::Kind::Macro;
    statement.value.kind = Expression::Kind::List;
    begin_block("macro");
    statement.text = tokens_.expect(Token::Kind::Name, "a name");
    tokens_.expect_operator("(");
    while (!tokens_.take_operator(")")) {
      if (!statement.targets.empty()) tokens_.expect_operator(",");
      statement.targets.push_back(tokens_.expect(Token::Kind::Name, "a parameter"));
      const bool has_default = tokens_.take_operator("=");
      if (!has_default && !statement.value.children.empty()) tokens_.fail("a default as for the parameter before");
      if (has_default) statement.value.children.push_back(parse_expression(tokens_));
    }
    end_block();
    const int outer_loops = std::exchange(loops_, 0);
    statement.branches.push_back({{}, body({"endmacro"})});
    loops_ = outer_loops;
    begin_block("endmacro");
    end_block();
  }

  /// {% generation %} marks for trainers what the assistant said; the text inside is rendered as it is.
  void read_generation(std::vector<Statement>& statements) {
    begin_block("generation");
    end_block();
    for (Statement& inner : body({"endgeneration"})) statements.push_back(std::move(inner));
    begin_block("endgeneration");
    end_block();
  }

  TokenStream tokens_;
  int depth_ = 0;
  int loops_ = 0;  // around this place
};

}  // namespace

std::vector<Statement> parse(std::string_view source) { return Parser(source).run(); }

}  // namespace lathe::jinja
