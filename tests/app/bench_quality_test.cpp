#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kProgram = std::string(LATHE_BINARY_DIR) + "/app/lathe ";
const std::string kText = std::string(LATHE_SOURCE_DIR) + "/assets/text/prose.txt";

std::vector<nlohmann::json> rows_of(const std::string& arguments) {
  const ProgramResult result = run_program(kProgram + arguments + " --json 2>/dev/null");
  EXPECT_EQ(result.status, 0) << result.out;
  std::vector<nlohmann::json> rows;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

TEST(BenchQuality, SaysOfEachPlanWhatConvertAndEvalSay) {
  const TemporaryFolder folder;
  const std::string evaluated = " --text " + kText + " --window 64 --windows 8";
  const auto rows = rows_of("bench quality tiny --plan tiny-exact --plan tiny-demo" + evaluated);
  ASSERT_EQ(rows.size(), 3);
  rows_of("convert tiny --plan tiny-demo -o " + (folder / "demo"));
  const auto demo = rows_of("eval " + (folder / "demo") + evaluated).at(0);
  const auto dense = rows_of("eval tiny" + evaluated).at(0);

  EXPECT_THAT((std::vector<std::string>{rows[0].at("plan"), rows[1].at("plan"), rows[2].at("plan")}),
              ElementsAre("dense", "tiny-exact", "tiny-demo"));
  EXPECT_NEAR(rows[0].at("nll"), dense.at("nll"), 1e-9);
  EXPECT_NEAR(rows[1].at("nll"), dense.at("nll"), 1e-4);
  EXPECT_NEAR(rows[2].at("nll"), demo.at("nll"), 1e-6);
  EXPECT_GT(std::abs(rows[2].at("nll").get<double>() - dense.at("nll").get<double>()), 1e-3);
  EXPECT_LT(rows[2].at("kv_values_per_token"), rows[0].at("kv_values_per_token"));
}

TEST(BenchQuality, RefusesAPlanThatDoesNotFitBeforeAnyWork) {
  const ProgramResult result =
      run_program(kProgram + "bench quality tiny --plan tiny-demo --plan mla-192 --text " + kText + " 2>&1");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("plan mla-192"));
  EXPECT_EQ(result.out.find("PPL"), std::string::npos) << result.out;
}

}  // namespace
}  // namespace lathe
