#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/bench.h"
#include "app/jobs/opened_model.h"

namespace lathe {

/// One reading of a prompt and writing after it.
struct WritingSpeed {
  double prefill_tokens_per_second = 0.0;
  double decode_tokens_per_second = 0.0;  ///< greedy, one sequence
};

/// Loading and writing in one dtype.
struct SpeedFigures {
  std::string dtype;
  double load_seconds = 0.0;
  std::int64_t load_bytes = 0;       ///< most memory of the host that opening took, what stays included
  std::int64_t predicted_bytes = 0;  ///< of the weights, before they are read
  std::int64_t prompt_tokens = 0;
  std::vector<WritingSpeed> rounds = {};
  std::int64_t weight_bytes = 0;
  std::int64_t cache_bytes = 0;
  std::int64_t base_anonymous_bytes = 0;  ///< of this process before the model was opened: program and libraries
  std::int64_t peak_anonymous_bytes = 0;  ///< the same while writing
  std::int64_t peak_resident_bytes = 0;   ///< the same with the mapped program and libraries
  std::int64_t peak_device_bytes = 0;     ///< of tensors on a GPU while writing; 0 on the CPU
};

/// A model opened for measuring, and the prompt that is its work: prose that ships with the program.
struct BenchModel {
  OpenedModel opened;
  std::string prompt;
  std::vector<std::int32_t> prompt_ids;
  double load_seconds = 0.0;
  std::int64_t load_bytes = 0;
  std::int64_t base_anonymous_bytes = 0;
};

/// Opens options.model in `dtype`; the file's pages are read once before, so that the time is the program's own.
BenchModel open_for_bench(const BenchOptions& options, const std::string& dtype, const Job& job);

/// Reads the prompt and writes once, and adds the round to `figures`.
void measure_writing(const BenchModel& model, const BenchOptions& options, SpeedFigures& figures, const Job& job);

/// Megabytes of the shipped prose that the tokenizer turns into ids a second, on one thread, each round.
std::vector<double> measure_tokenizer(const Tokenizer& tokenizer, std::int64_t rounds);

/// The medians of the rounds, and all of them.
nlohmann::json speed_to_json(const SpeedFigures& figures);

/// The middle of the sorted values; the mean of the middle two if their number is even. 0 if there are none.
double median(std::vector<double> values);

}  // namespace lathe
