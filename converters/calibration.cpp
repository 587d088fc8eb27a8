#include "converters/calibration.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <vector>

#include "model/data/error.h"
#include "model/train/text_batches.h"

// N tokens of a text, B windows, T tokens of a window

namespace lathe {
namespace {

// Equal gaps between the windows, the first and the last one at the ends.
at::Tensor spread_windows(const at::Tensor& ids_N, std::int64_t windows, std::int64_t tokens) {
  const std::int64_t spare = ids_N.numel() - windows * tokens;
  std::vector<at::Tensor> cut;
  for (std::int64_t window = 0; window < windows; ++window) {
    const std::int64_t gap = windows > 1 ? spare * window / (windows - 1) : 0;
    cut.push_back(ids_N.narrow(0, window * tokens + gap, tokens));
  }
  return at::stack(cut);
}

}  // namespace

CalibrationWindows calibration_windows(std::span<const std::int32_t> ids, const Calibration& calibration) {
  const std::int64_t samples = calibration.num_samples;
  const std::int64_t tokens = calibration.seq_len;
  check(samples >= 1 && tokens >= 2, "[calibration] got num_samples ", samples, " and seq_len ", tokens,
        ", expected at least 1 and 2");
  const at::Tensor ids_N = at::empty({static_cast<std::int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), ids_N.data_ptr<std::int64_t>());
  const TextSplit split = split_text(ids_N, tokens);
  // Compared by division: the product of two settings may not fit.
  check(samples <= split.fit_N.numel() / tokens, "[calibration] the text has ", split.fit_N.numel(),
        " tokens to calibrate on, expected at least num_samples ", samples, " x seq_len ", tokens,
        "; take a longer text or fewer samples");
  const std::int64_t held_out = std::min(samples, split.held_out_N.numel() / tokens);
  return {spread_windows(split.fit_N, samples, tokens), spread_windows(split.held_out_N, held_out, tokens)};
}

}  // namespace lathe
