#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

const std::string kProgram = std::string(LATHE_BINARY_DIR) + "/app/lathe ";

ProgramResult lathe(const std::string& arguments) { return run_program(kProgram + arguments + " 2>/dev/null"); }

nlohmann::json json_of(const std::string& arguments) {
  const ProgramResult result = lathe(arguments + " --json");
  EXPECT_EQ(result.status, 0) << arguments;
  return nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
}

std::vector<nlohmann::json> lines_of(const std::string& out) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// Six hundred sentences to learn from and to be measured on.
std::string write_text(const TemporaryFolder& folder) {
  const std::string path = folder / "text.txt";
  std::ofstream file(path);
  for (int i = 0; i < 600; ++i) {
    file << "The " << (i % 7 == 0 ? "king" : "people") << " went out of the city on day " << i << " and came again.\n";
  }
  return path;
}

TEST(CommandLine, SaysWhatIsWrongWithItsUseByStatusTwo) {
  EXPECT_EQ(lathe("convert tiny").status, 2);
  EXPECT_EQ(lathe("no-such-command").status, 2);
  EXPECT_EQ(lathe("info tiny --dtype f64").status, 2);
  EXPECT_EQ(lathe("info tiny --device gpu").status, 2);
  EXPECT_EQ(lathe("convert tiny --plan tiny-demo").status, 2);
  EXPECT_EQ(lathe("generate tiny --prompt a --temperature -1").status, 2);
  EXPECT_EQ(lathe("generate tiny --prompt a --top-p 0").status, 2);
  EXPECT_EQ(lathe("train tiny --trainable nothing -o /tmp/x").status, 2);
  EXPECT_EQ(lathe("train tiny --lr 0 -o /tmp/x").status, 2);
  EXPECT_EQ(lathe("eval tiny --text x --window 1").status, 2);
  EXPECT_EQ(lathe("tour --steps 0").status, 2);
  EXPECT_EQ(lathe("methods recipes").status, 2);
  EXPECT_EQ(lathe("train tiny --resume -o /tmp/x").status, 2);
  EXPECT_EQ(lathe("train tiny --stop-at 3 -o /tmp/x").status, 2);
}

TEST(CommandLine, ADisplayThatCannotBeReachedIsAsGoodAsNone) {
  const TemporaryFolder folder;
  // The tour ends at once: there is no model.
  const ProgramResult result = run_program("cd " + (folder / "") + " && env -u WAYLAND_DISPLAY DISPLAY=:9876 " +
                                           "LATHE_MODEL=/no/such/model " + kProgram + "2>&1");
  EXPECT_NE(result.out.find("running the tour instead"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("/no/such/model"), std::string::npos) << result.out;
}

TEST(CommandLine, RefusesAPlaceThatCannotBeWrittenBeforeAnyWork) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  std::filesystem::create_directory(folder / "others");
  std::ofstream(folder / "others/letter.txt") << "not Lathe's";
  const auto said = [](const std::string& arguments) {
    const ProgramResult result = run_program(kProgram + arguments + " 2>&1");
    EXPECT_EQ(result.status, 1) << arguments;
    return result.out;
  };
  EXPECT_NE(said("convert no-such-model --plan tiny-demo -o " + (folder / "file/model")).find("is not a folder"),
            std::string::npos);
  EXPECT_NE(said("train no-such-model -o " + (folder / "others")).find("was not saved by Lathe"), std::string::npos);
  EXPECT_NE(said("tour --model no-such-model -o " + (folder / "file")).find("is not a folder"), std::string::npos);
  EXPECT_NE(said("eval no-such-model --text x --per-token " + (folder / "file/tokens")).find("is not a folder"),
            std::string::npos);
}

TEST(CommandLine, SavesUnderABareName) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_program("cd " + (folder / "") + " && " + kProgram +
                        "convert tiny --plan tiny-demo -o model >/dev/null 2>&1 && " + kProgram +
                        "info model >/dev/null 2>&1")
                .status,
            0);
  EXPECT_TRUE(std::filesystem::exists(folder / "model/config.json"));
}

TEST(CommandLine, NoticesThatItsOutputIsFull) {
  const ProgramResult result = run_program(kProgram + "methods 2>&1 >/dev/full");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.out.find("stdout"), std::string::npos);
}

TEST(CommandLine, ATeacherMustBeAnotherModelOfTheSameVocabulary) {
  const TemporaryFolder folder;
  json_of("convert tiny --plan tiny-demo -o " + (folder / "converted"));
  const std::string train = kProgram + "train " + (folder / "converted") + " --steps 1 --seq 16 --kl-weight 1 -o " +
                            (folder / "healed") + " 2>&1";
  const ProgramResult alone = run_program(train);
  EXPECT_EQ(alone.status, 1);
  EXPECT_NE(alone.out.find("name the original as the teacher"), std::string::npos) << alone.out;
  EXPECT_EQ(run_program(train + " --teacher tiny").status, 0);
}

TEST(CommandLine, ATeacherMustReadTheSameTokens) {
  const TemporaryFolder folder;
  const std::filesystem::path teacher = folder / "teacher";
  std::filesystem::copy(LATHE_SOURCE_DIR "/assets/tiny", teacher);
  nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(teacher / "tokenizer.json"));
  auto& vocab = tokenizer.at("model").at("vocab");
  std::swap(vocab.at("a"), vocab.at("b"));
  std::ofstream(teacher / "tokenizer.json") << tokenizer.dump();
  const ProgramResult result =
      run_program(kProgram + "train tiny --trainable all --steps 1 --seq 16 --batch 1 --kl-weight 1 --teacher " +
                  teacher.string() + " -o " + (folder / "out") + " 2>&1");
  EXPECT_EQ(result.status, 1) << result.out;
  EXPECT_NE(result.out.find("another tokenizer"), std::string::npos) << result.out;
}

TEST(CommandLine, ReportsAModelThatIsNotThereByStatusOne) {
  const ProgramResult result = run_program(kProgram + "info /no/such/model 2>&1");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.out.find("/no/such/model"), std::string::npos);
}

TEST(CommandLine, HelpHasAnExampleForEachCommand) {
  for (const char* command : {"open", "tour", "info", "tokenize", "detokenize", "generate", "eval", "convert", "train",
                              "recipes", "methods", "devices", "bench"}) {
    const ProgramResult help = lathe(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_NE(help.out.find("Examples:"), std::string::npos) << command;
  }
}

TEST(CommandLine, InfoCountsWhatTheTensorsHold) {
  const auto info = json_of("info tiny");
  std::int64_t values = 0;
  const auto& config = info.at("config");
  // Counted here from the sizes alone: embeddings, two norms a block, q k v o, gate up down, the last norm.
  const std::int64_t d = config.at("hidden_size");
  const std::int64_t f = config.at("intermediate_size");
  const std::int64_t k = config.at("head_dim");
  const std::int64_t h = config.at("num_attention_heads");
  const std::int64_t g = config.at("num_key_value_heads");
  const std::int64_t v = config.at("vocab_size");
  const std::int64_t layers = config.at("num_hidden_layers");
  values = layers * (2 * d + 2 * d * h * k + 2 * d * g * k + 3 * d * f) + d + v * d;
  if (!config.at("tie_word_embeddings").get<bool>()) values += v * d;
  EXPECT_EQ(info.at("params"), values);
  EXPECT_EQ(info.at("layers").size(), static_cast<std::size_t>(layers));
  EXPECT_EQ(info.at("kv_bytes_per_token"), layers * 2 * g * k * 4);
}

TEST(CommandLine, TokenizeAndDetokenizeAreInverse) {
  const auto tokens = json_of("tokenize tiny --text 'In the beginning' --no-special");
  std::string ids;
  for (const auto& id : tokens.at("ids")) ids += " " + id.dump();
  EXPECT_EQ(json_of("detokenize tiny" + ids).at("text"), "In the beginning");
  EXPECT_EQ(lathe("detokenize tiny 5 999999").status, 1);
}

TEST(CommandLine, TokenizeTakesAJsonStringALine) {
  const TemporaryFolder folder;
  std::ofstream(folder / "texts.jsonl") << "\"one\"\n\"two\\nlines\"\n\"\"\n";
  const ProgramResult result = lathe("tokenize tiny --no-special --lines " + (folder / "texts.jsonl"));
  ASSERT_EQ(result.status, 0);
  const auto lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1].at("ids"), json_of("tokenize tiny --no-special --text 'two\nlines'").at("ids"));
  EXPECT_TRUE(lines[2].at("ids").empty());
}

TEST(CommandLine, TokenizeRefusesAFolder) {
  const TemporaryFolder folder;
  for (const char* option : {"--file ", "--lines "}) {
    const ProgramResult result = run_program(kProgram + "tokenize tiny " + option + (folder / "") + " 2>&1");
    EXPECT_EQ(result.status, 1) << option;
    EXPECT_NE(result.out.find("got a folder"), std::string::npos) << result.out;
  }
}

TEST(CommandLine, TheSameSeedWritesTheSameText) {
  const std::string command = "generate tiny --prompt 'And the' --max-new-tokens 24 --temperature 0.9 --seed ";
  const auto first = json_of(command + "5");
  EXPECT_EQ(first.at("ids"), json_of(command + "5").at("ids"));
  EXPECT_NE(first.at("ids"), json_of(command + "6").at("ids"));
  EXPECT_EQ(first.at("ids").size(), 24U);
}

TEST(CommandLine, EvalGivesTheMeanOfItsTokens) {
  const TemporaryFolder folder;
  const std::string text = write_text(folder);
  const auto result = json_of("eval tiny --text " + text + " --window 64 --windows 4 --per-token " +
                              (folder / "tokens.jsonl") + " --against tiny");
  std::ifstream file(folder / "tokens.jsonl");
  std::stringstream lines;
  lines << file.rdbuf();
  double sum = 0.0;
  const auto tokens = lines_of(lines.str());
  for (const auto& token : tokens) sum += token.at("nll").get<double>();
  ASSERT_EQ(tokens.size(), 4U * 63U);
  EXPECT_NEAR(result.at("nll").get<double>(), sum / 252.0, 1e-5);
  EXPECT_NEAR(result.at("ppl").get<double>(), std::exp(sum / 252.0), 1e-3);
  EXPECT_NEAR(result.at("kl").get<double>(), 0.0, 1e-6);
  EXPECT_EQ(result.at("top1_agreement"), 1.0);
}

TEST(CommandLine, DryRunPredictsTheSizesThatConversionThenHas) {
  const TemporaryFolder folder;
  const auto predicted = json_of("convert tiny --plan tiny-demo --dry-run");
  const auto receipt = json_of("convert tiny --plan tiny-demo -o " + (folder / "model"));
  EXPECT_EQ(predicted.at("sizes_after"), receipt.at("sizes_after"));
  const auto info = json_of("info " + (folder / "model"));
  EXPECT_EQ(info.at("params"), predicted.at("sizes_after").at("params"));
}

TEST(CommandLine, ConvertingTwiceGivesEqualBytes) {
  const TemporaryFolder folder;
  const auto first = json_of("convert tiny --plan tiny-demo -o " + (folder / "a"));
  const auto second = json_of("convert tiny --plan tiny-demo -o " + (folder / "b"));
  EXPECT_EQ(first.at("model_sha256"), second.at("model_sha256"));
  const std::string compare = "cmp " + (folder / "a/model.safetensors") + " " + (folder / "b/model.safetensors");
  EXPECT_EQ(run_program(compare).status, 0);
}

TEST(CommandLine, AConvertedModelHealsAndWrites) {
  const TemporaryFolder folder;
  const std::string text = write_text(folder);
  json_of("convert tiny --plan tiny-demo -o " + (folder / "converted"));
  const ProgramResult trained = lathe("train " + (folder / "converted") + " --text " + text +
                                      " --steps 6 --seq 64 --batch 2 --json -o " + (folder / "healed"));
  ASSERT_EQ(trained.status, 0);
  std::vector<double> losses;
  for (const auto& line : lines_of(trained.out)) {
    if (line.contains("loss")) losses.push_back(line.at("next_token"));
  }
  ASSERT_EQ(losses.size(), 6U);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_EQ(json_of("generate " + (folder / "healed") + " --prompt 'The king' --max-new-tokens 8").at("ids").size(),
            8U);
  const auto receipt = json_of("info " + (folder / "healed")).at("receipt");
  EXPECT_EQ(receipt.at("healing").at("steps"), 6);
  EXPECT_EQ(receipt.at("model_sha256"), json_of("info " + (folder / "converted")).at("receipt").at("model_sha256"));
  EXPECT_FALSE(json_of("info " + (folder / "converted")).at("receipt").contains("healing"));
}

TEST(CommandLine, StopAndResumeEqualsOneRun) {
  const TemporaryFolder folder;
  const std::string text = write_text(folder);
  json_of("convert tiny --plan tiny-demo -o " + (folder / "converted"));
  const std::string train = "train " + (folder / "converted") + " --text " + text +
                            " --steps 6 --seq 64 --batch 2 --threads 1 --json --run-folder " + (folder / "run");
  ASSERT_EQ(lathe("train " + (folder / "converted") + " --text " + text +
                  " --steps 6 --seq 64 --batch 2 --threads 1 --json -o " + (folder / "whole"))
                .status,
            0);
  ASSERT_EQ(lathe(train + " --stop-at 3 -o " + (folder / "half")).status, 0);
  ASSERT_EQ(lathe(train + " --resume -o " + (folder / "resumed")).status, 0);
  EXPECT_EQ(
      run_program("cmp " + (folder / "whole/model.safetensors") + " " + (folder / "resumed/model.safetensors")).status,
      0);
  EXPECT_NE(
      run_program("cmp -s " + (folder / "whole/model.safetensors") + " " + (folder / "half/model.safetensors")).status,
      0);
}

TEST(CommandLine, CtrlCEndsWithStatus130AndWritesNothing) {
  const TemporaryFolder folder;
  const std::string out = folder / "healed";
  const ProgramResult result =
      run_program("timeout --preserve-status -s INT 4 " + kProgram + "train tiny --trainable all --text " +
                  write_text(folder) + " --steps 100000 --seq 64 -o " + out + " >/dev/null 2>&1");
  EXPECT_EQ(result.status, 130);
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(CommandLine, CtrlCInABenchLeavesNothingBehind) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "temporary");
  // Stands in for Python: interrupts the bench while the model lies saved for the comparison, and never answers.
  std::ofstream(folder / "python") << "#!/bin/sh\nread line\nls \"$TMPDIR\" >&2\nkill -INT $PPID\nsleep 1\n";
  std::filesystem::permissions(folder / "python", std::filesystem::perms::owner_all);
  const ProgramResult result = run_program(
      "TMPDIR=" + (folder / "temporary") + " LATHE_PYTHON=" + (folder / "python") + " " + kProgram +
      "bench tiny --against transformers --dtype f32 --prompt-tokens 8 --new-tokens 2 --rounds 1 --train-steps 0 2>&1");
  EXPECT_NE(result.out.find("lathe-bench-"), std::string::npos) << result.out;
  EXPECT_EQ(result.status, 130);
  EXPECT_NE(result.out.find("cancelled"), std::string::npos) << result.out;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "temporary"));
}

TEST(CommandLine, ListsMethodsRecipesAndDevices) {
  std::vector<std::string> names;
  for (const auto& method : json_of("methods")) names.push_back(method.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"lathe-mla", "transmla", "lathe-moe", "copy", "drop-upcycling"}));
  bool has_erax = false;
  for (const auto& recipe : json_of("recipes")) has_erax = has_erax || recipe.at("name") == "erax-8b";
  EXPECT_TRUE(has_erax);
  EXPECT_EQ(json_of("devices")[0].at("name"), "cpu");
}

TEST(CommandLine, TheTourLeavesAReportAndItsNumbers) {
  const TemporaryFolder folder;
  const auto tour = json_of("tour --model tiny --recipe tiny-demo --steps 4 -o " + (folder / "tour"));
  EXPECT_GT(tour.at("losses").at("converted").get<double>(), 0.0);
  EXPECT_TRUE(std::filesystem::exists(folder / "tour/report.md"));
  EXPECT_FALSE(tour.at("text").get<std::string>().empty());
  std::ifstream file(folder / "tour/report.md");
  const std::string report(std::istreambuf_iterator<char>(file), {});
  const std::size_t converted = report.find("### Converted and healed (");
  const std::size_t original = report.find("### Original (");
  ASSERT_NE(original, std::string::npos) << report;
  EXPECT_NE(report.substr(converted, original - converted), report.substr(original, original - converted));
  EXPECT_NE(report.find(tour.at("text").get<std::string>()), std::string::npos);
  const auto figures = tour.at("paths").value("figures", nlohmann::json::array());
  EXPECT_EQ(figures.size(), std::size_t{LATHE_TOUR_FIGURES});
  for (const auto& figure : figures) {
    EXPECT_GT(std::filesystem::file_size(figure.get<std::string>()), 10'000U) << figure;
  }
}

}  // namespace
}  // namespace lathe
