#pragma once

#include <nlohmann/json_fwd.hpp>

#include "app/bench.h"

namespace lathe {

/// Reads the same prompt and writes the same number of tokens with Lathe and with transformers, turn by turn in one
/// run, so that both meet the same machine. ratio: Lathe's median over that of transformers. Python is $LATHE_PYTHON,
/// else the one that set-up keeps.  Throws Error if it or its packages are missing.
nlohmann::json bench_against_transformers(const BenchOptions& options, const Job& job);

}  // namespace lathe
