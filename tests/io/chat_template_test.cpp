#include "model/io/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "model/data/error.h"
#include "tests/io/reference_python.h"
#include "tests/io/tokenizer_goldens.h"

namespace lathe {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A tokenizer of which only the template and the names of two tokens matter.
Tokenizer tokenizer_with(const std::string& chat_template) {
  json file = json::parse(slurp(golden_path("gpt2_style.json")));
  const auto next = file["model"]["vocab"].size();
  for (const char* token : {"<s>", "</s>"}) {
    file["added_tokens"].push_back(
        {{"id", next + file["added_tokens"].size() - 1}, {"content", token}, {"special", true}});
  }
  const json config = {{"bos_token", "<s>"}, {"eos_token", {{"content", "</s>"}}}, {"chat_template", chat_template}};
  return Tokenizer::from_files({.tokenizer_json = file.dump(), .tokenizer_config_json = config.dump()}, "test");
}

std::string render(const json& test_case) {
  std::vector<ChatMessage> messages;
  for (const json& message : test_case["messages"]) messages.push_back({message["role"], message["content"]});
  static std::map<std::string, Tokenizer> known;  // a tokenizer takes longer to read than to use
  const std::string chat_template = test_case["template"];
  auto found = known.find(chat_template);
  if (found == known.end()) found = known.emplace(chat_template, tokenizer_with(chat_template)).first;
  return render_chat(found->second, messages, test_case["add_generation_prompt"]);
}

std::string render(const std::string& chat_template) {
  return render({{"template", chat_template},
                 {"messages", {{{"role", "user"}, {"content", "Hi"}}}},
                 {"add_generation_prompt", true}});
}

std::string failure_of(const std::string& chat_template) {
  try {
    render(chat_template);
  } catch (const Error& error) {
    return error.what();
  }
  return "it rendered";
}

TEST(ChatTemplate, RendersEveryGoldenConversation) {
  const json chats = json::parse(slurp(golden_path("chats.json")));
  ASSERT_GE(chats.size(), 50);

  for (const json& chat : chats) EXPECT_EQ(render(chat), chat["expected"].get<std::string>()) << chat["template"];
}

TEST(ChatTemplate, OfTheDefaultModelOpensWithItsSystemMessage) {
  LATHE_NEEDS_DEFAULT_MODEL();
  const Tokenizer tokenizer = load_tokenizer(*default_model());
  const std::vector<ChatMessage> messages{{"user", "What is gravity?"}};

  const std::string text = render_chat(tokenizer, messages, /*add_generation_prompt=*/true);

  EXPECT_EQ(text,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(tokenizer.encode(text, {.add_special_tokens = false}).front(), tokenizer.id_of("<|im_start|>"));
}

TEST(ChatTemplate, EqualsTransformersRunNow) {
  LATHE_NEEDS_PYTHON("transformers tokenizers");
  json cases = json::array();
  for (const json& chat_template : json::parse(slurp(golden_path("chat_templates.json")))) {
    for (const char* content :
         {"", " \n a\u00a0\t", "\u3000wide\u3000", "ends in newline\n", "2+2=4", "{{ x }}'\"\\n"}) {
      cases.push_back({{"template", chat_template},
                       {"messages", {{{"role", "user"}, {"content", content}}}},
                       {"add_generation_prompt", true},
                       {"bos_token", "<s>"},
                       {"eos_token", "</s>"}});
    }
  }
  const TempFolder folder;
  const auto in = folder.write("cases.json", cases.dump()), out = folder.path() / "out.json";

  const PythonResult result =
      run_reference("chat '" + in.string() + "' '" + out.string() + "'", "tokenizer_reference.py");

  ASSERT_TRUE(result.ok) << result.output;
  const json expected = json::parse(slurp(out));
  ASSERT_EQ(expected.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(render(cases[i]), expected[i].get<std::string>()) << cases[i].dump();
  }
}

/// What a template makes of a conversation, or what it is refused with.
std::string text_or_refusal(const json& test_case) {
  try {
    return render(test_case);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Template);
    const std::string& what = error.parts().what;
    const std::size_t reason = what.find("it does not accept this conversation: ");
    return "refused: " + (reason == std::string::npos ? what : what.substr(reason + 38));
  }
}

/// Conversations of all shapes: with and without a system message, long and short, in and out of turn.
json conversations() {
  const std::vector<std::string> texts{
      "Hi", " \n a\u00a0\t", "two\nlines\n", "", "2+2=4", "<think>\nx\n</think>\n\ny", "'\"\\n{{ x }}", "日本 👋"};
  json all = json::array();
  for (std::size_t turns = 1; turns <= 6; ++turns) {
    for (std::size_t first = 0; first < texts.size(); ++first) {
      for (const bool has_system : {false, true}) {
        json messages = json::array();
        if (has_system) messages.push_back({{"role", "system"}, {"content", texts[(first + 3) % texts.size()]}});
        for (std::size_t turn = 0; turn < turns; ++turn) {
          messages.push_back(
              {{"role", turn % 2 == 0 ? "user" : "assistant"}, {"content", texts[(first + turn) % texts.size()]}});
        }
        if (first == 7 && turns == 4) messages.push_back({{"role", "user"}, {"content", "out of turn"}});
        all.push_back(messages);
      }
    }
  }
  return all;
}

TEST(ChatTemplate, OfManyModelsEqualsTransformers) {
  LATHE_NEEDS_PYTHON("transformers tokenizers");
  const json templates =
      json::parse(slurp(std::filesystem::path(LATHE_SOURCE_DIR) / "tests/io/model_chat_templates.json"));
  json cases = json::array();
  for (const auto& [name, chat_template] : templates.items()) {
    for (const json& messages : conversations()) {
      cases.push_back({{"template", chat_template},
                       {"messages", messages},
                       {"add_generation_prompt", cases.size() % 2 == 0},
                       {"bos_token", "<s>"},
                       {"eos_token", "</s>"}});
    }
  }
  const TempFolder folder;
  const auto in = folder.write("cases.json", cases.dump()), out = folder.path() / "out.json";

  const PythonResult result =
      run_reference("chat '" + in.string() + "' '" + out.string() + "'", "tokenizer_reference.py");

  ASSERT_TRUE(result.ok) << result.output;
  const json expected = json::parse(slurp(out));
  ASSERT_EQ(expected.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(text_or_refusal(cases[i]), expected[i].get<std::string>()) << cases[i].dump();
  }
}

TEST(ChatTemplate, IsMissedWithASentence) { EXPECT_THAT(failure_of(""), HasSubstr("the model has none")); }

TEST(ChatTemplate, PassesOnWhatTheTemplateRaises) {
  EXPECT_THAT(failure_of("{% for m in messages %}{{ raise_exception('No ' + m.role + 's here') }}{% endfor %}"),
              HasSubstr("does not accept this conversation: No users here"));
}

TEST(ChatTemplate, RefusesWhatIsBeyondTheSubset) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{% include 'x' %}", "line 1: got \"include\""},
      {"\n\n{% filter upper %}{% endfilter %}", "line 3: got \"filter\""},
      {"{% break %}", "expected a loop around it"},
      {"{% for m in messages %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}", "expected a loop around it"},
      {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macros call each other more than 8 deep"},
      {"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "too many arguments for f"},
      {"{% if x %}", "expected {%"},
      {"{% if x %}{% endfor %}", "endfor"},
      {"{{ x", "not closed"},
      {"{# x", "comment is not closed"},
      {"{{ 'x }}", "string is not closed"},
      {"{{ 1 + }}", "expected a value"},
      {"{{ messages | pprint }}", "filter \"pprint\" is not supported"},
      {"{{ ''.__class__ }}", "of string is not supported"},
      {"{{ messages.__class__.__mro__ }}", "not supported"},
      {"{{ x.y.z }}", "undefined"},
      {"{{ cycler('a') }}", "function cycler() is not supported"},
      {"{{ 1 is divisibleby }}", "test \"is divisibleby\" is not supported"},
      {"{% for i in range(1000000000) %}x{% endfor %}", "more than 300000 steps"},
      {"{% for i in range(900) %}{% for j in range(900) %}{% for k in range(900) %}{% endfor %}{% endfor %}{% endfor "
       "%}",
       "steps"},
      {"{% set a = 'xxxxxxxxxxxxxxxx' %}{% for i in range(90) %}{% set ns = namespace(b=a) %}{{ a * 9 }}{% endfor %}",
       "not supported"},
      {"{{ 9999999999999999999999 }}", "15 digits"},
      {"{{ 999999999999999 * 999999999999999 }}", "too large"},
      {"{{ 1 // 0 }}", "division by zero"},
      {"{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}", "deep"},
      {"{{ 1" +
           [] {
             std::string s;
             for (int i = 0; i < 9000; ++i) s += "+1";
             return s;
           }() +
           " }}",
       "deep"},
      {"{{ " + std::string(9000, '-') + "1 }}", "deep"},
      {[] {
         std::string s;
         for (int i = 0; i < 9000; ++i) s += "{% if 1 %}";
         return s;
       }(),
       "deep"},
      {std::string(1 << 20, 'x'), "bytes, expected at most"},
  };

  for (const auto& [chat_template, message] : cases) {
    EXPECT_THAT(failure_of(chat_template), HasSubstr(message)) << chat_template.substr(0, 100);
  }
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

/// What the template is answered with, and that it is answered soon.
std::string quick_failure_of(const std::string& chat_template) {
  const auto start = std::chrono::steady_clock::now();
  std::string failure = failure_of(chat_template);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30)) << chat_template.substr(0, 100);
  return failure;
}

TEST(ChatTemplate, MakesNoValueThatFillsTheMemory) {
  const std::string set_a = "{% set a = 'xxxxxxxxxxxxxxxx' %}";
  const std::string megabyte = set_a + repeated("{% set a = a ~ a %}", 16);
  const std::string too_large = "bytes, allowed are 16777216";

  EXPECT_THAT(quick_failure_of(set_a + repeated("{% set a = a ~ a %}", 40)), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of(set_a + repeated("{% set a = a + a %}", 40)), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of("{% set a = [1] %}" + repeated("{% set a = a + a %}", 40)), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of("{% set a = [1] %}" + repeated("{% set a = [a, a] %}", 40)), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of(megabyte + "{{ a | replace('x', a) }}"), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of(megabyte + "{{ range(1000) | join(a) }}"), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of(megabyte + "{{ a.split('x') }}"), HasSubstr(too_large));
  EXPECT_THAT(quick_failure_of(megabyte + "{{ a.strip(a) }}"), HasSubstr("strip of more than"));
  EXPECT_EQ(failure_of(megabyte + "{{ a | length }}{{ a.split('y') | length }}"), "it rendered");
}

TEST(ChatTemplate, LooksForATextThatNearlyFitsEverywhereInNoTime) {
  const std::string texts = "{% set a = 'xxxxxxxxxxxxxxxx' %}" + repeated("{% set a = a ~ a %}", 16) +
                            "{% set b = a ~ 'y' %}{% set a = a ~ a %}";

  EXPECT_EQ(quick_failure_of(texts + "{{ b in a }}{{ a.split(b) | length }}{{ a.replace(b, '') | length }}"),
            "it rendered");
}

TEST(ChatTemplate, KeepsAllValuesTogetherWithinTheMemory) {
  const std::string megabyte = "{% set a = 'xxxxxxxxxxxxxxxx' %}" + repeated("{% set a = a ~ a %}", 16);
  std::string copies, attributes = "{% set ns = namespace() %}";
  for (int i = 0; i < 5000; ++i) {
    copies += "{% set b" + std::to_string(i) + " = a %}";
    attributes += "{% set ns.b" + std::to_string(i) + " = a %}";
  }

  EXPECT_THAT(quick_failure_of(megabyte + copies), HasSubstr("bytes in all"));
  EXPECT_THAT(quick_failure_of(megabyte + attributes), HasSubstr("bytes in all"));
  EXPECT_THAT(quick_failure_of(megabyte + "{% set c = [" + repeated("a,", 5000) + "] %}"), HasSubstr("bytes in all"));
}

TEST(ChatTemplate, NestsNoValueDeeply) {
  const std::string space = "{% set ns = namespace(a=1) %}{% for i in range(50000) %}";
  const std::string too_deep = "nested more than 64 levels deep";

  EXPECT_THAT(quick_failure_of(space + "{% set ns.a = ns %}{% endfor %}"), HasSubstr(too_deep));
  EXPECT_THAT(quick_failure_of(space + "{% set ns.a = [ns.a] %}{% endfor %}"), HasSubstr(too_deep));
  EXPECT_THAT(quick_failure_of("{% set a = 1 %}" + repeated("{% set a = {'b': a} %}", 9000)), HasSubstr(too_deep));
  EXPECT_EQ(failure_of("{% set a = 1 %}" + repeated("{% set a = [a] %}", 64)), "it rendered");
}

TEST(ChatTemplate, ReadsALongConversationAgainAndAgain) {
  std::vector<ChatMessage> messages;
  for (int i = 0; i < 500; ++i) messages.push_back({i % 2 == 0 ? "user" : "assistant", std::string(20'000, 'x')});
  const Tokenizer tokenizer = tokenizer_with(
      "{% for m in messages %}{% if loop.first or messages[loop.index0 - 1].role != m.role %}{{ m.content | trim }}"
      "{% endif %}{% endfor %}");

  EXPECT_EQ(render_chat(tokenizer, messages, /*add_generation_prompt=*/false).size(), 10'000'000U);
}

}  // namespace
}  // namespace lathe
