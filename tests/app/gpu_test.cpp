// The main job on a GPU through the command line, beside the same on the processor.
#include "tests/support/gpu.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

class TheProgramOnAGpu : public GpuTest {
 protected:
  /// The last line that the program printed, as JSON; fails the test if it did not end well.
  static nlohmann::json last_line(const std::string& arguments) {
    const ProgramResult result = run_program(LATHE_BINARY_DIR "/app/lathe --json --quiet " + arguments);
    EXPECT_EQ(result.status, 0) << arguments;
    std::istringstream lines(result.out);
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return nlohmann::json::parse(last, nullptr, /*allow_exceptions=*/false);
  }

  const TemporaryFolder folder_;
};

TEST_F(TheProgramOnAGpu, IsTakenUnlessToldOtherwise) {
  EXPECT_EQ(last_line("devices").at(1).at("name"), "cuda:0");
  EXPECT_EQ(last_line("convert tiny --plan tiny-demo -o " + (folder_ / "model")).at("device"), "cuda:0");
}

TEST_F(TheProgramOnAGpu, ConvertsTrainsAndWritesAsOnTheProcessor) {
  const auto on = [&](const std::string& device) {
    const std::string options = " --dtype f32 --device " + device;
    const std::string converted = folder_ / ("converted-" + device);
    const std::string healed = folder_ / ("healed-" + device);
    return nlohmann::json{
        {"receipt", last_line("convert tiny --plan tiny-demo -o " + converted + options)},
        {"step", last_line("train " + converted + " --steps 8 --seq 64 --precision f32 -o " + healed + options)},
        {"text", last_line("generate " + healed + " --prompt 'She was' --max-new-tokens 24" + options).at("text")}};
  };
  const nlohmann::json here = on("cpu"), there = on("cuda");
  EXPECT_NEAR(there["receipt"]["nll_after"].get<double>(), here["receipt"]["nll_after"].get<double>(), 2e-3);
  EXPECT_NEAR(there["step"]["held_out_nll"].get<double>(), here["step"]["held_out_nll"].get<double>(), 2e-2);
  EXPECT_FALSE(there["text"].get<std::string>().empty());
  EXPECT_EQ(there["text"], here["text"]);
}

TEST_F(TheProgramOnAGpu, RunsTheTourInHalfPrecision) {
  for (const std::string dtype : {"bf16", "f16"}) {
    const auto tour = last_line("tour --model tiny --recipe tiny-demo --steps 10 --device cuda --dtype " + dtype +
                                " -o " + (folder_ / dtype));
    EXPECT_GT(tour.at("losses").at("converted").get<double>(), tour.at("losses").at("healed").get<double>()) << dtype;
  }
}

}  // namespace
}  // namespace lathe
