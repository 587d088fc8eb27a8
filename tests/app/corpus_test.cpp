#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/cli/cli.h"
#include "tests/corpus/bad_file.h"
#include "tests/support/places.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace lathe {
namespace {

/// What a run of the command line left on stderr, and its status.
struct Outcome {
  int status = 0;
  std::string errors;
};

/// The command line in this process: a process for each of hundreds of files would take minutes.
Outcome run_here(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "lathe");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome run;
  run.status = run_cli(static_cast<int>(argv.size()), argv.data());
  run.errors = testing::internal::GetCapturedStderr();
  testing::internal::GetCapturedStdout();
  return run;
}

void expect_error(const Outcome& run, ErrorCode expected, const std::string& name) {
  SCOPED_TRACE(name);
  EXPECT_EQ(run.status, 1) << run.errors;
  EXPECT_EQ(std::ranges::count(run.errors, '\n'), 1) << run.errors;
  const auto error = nlohmann::json::parse(run.errors, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(error.is_object()) << run.errors;
  EXPECT_EQ(error.value("code", ""), error_code_name(expected)) << run.errors;
  for (const char* part : {"what", "where", "got", "expected", "hint"}) {
    EXPECT_FALSE(error.value(part, "").empty()) << part << " is missing: " << run.errors;
  }
}

TEST(CorpusOnTheCommandLine, InfoRefusesEachModelWithOneObjectOrTellsOfIt) {
  for (const BadFile& file : model_corpus()) {
    const TemporaryFolder folder;
    file.write(folder.path());

    const Outcome run = run_here({"info", (folder.path() / file.opened).string(), "--json"});

    if (file.expected == ErrorCode::Checksum) continue;  // shows when the tensors' bytes are read
    if (file.expected) {
      expect_error(run, *file.expected, file.name);
    } else {
      EXPECT_EQ(run.status, 0) << file.name << ": " << run.errors;
    }
  }
}

TEST(CorpusOnTheCommandLine, AProcessEndsByStatusOneAndNotByASignal) {
  int count = 0;
  for (const BadFile& file : model_corpus()) {
    if (!file.expected || file.expected == ErrorCode::Checksum || ++count % 40 != 0) continue;
    const TemporaryFolder folder;
    file.write(folder.path());
    const std::string path = (folder.path() / file.opened).string();

    const ProgramResult result =
        run_program("'" LATHE_BINARY_DIR "/app/lathe' info --json '" + path + "' 2>&1 >/dev/null");

    expect_error({.status = result.status, .errors = result.out}, *file.expected, file.name);
  }
}

}  // namespace
}  // namespace lathe
