#include <ATen/ops/full.h>

#include "model/data/error.h"
#include "model/train/train_state.h"
#include "tests/faults/save_kinds.h"

namespace lathe {

SaveKind train_state_kind() {
  return {.name = "TrainingState",
          .save =
              [](const std::filesystem::path& place, int version) {
                TrainState state{.about = {{"step", version}}, .tensors = {}};
                for (const char* name : {"w", "w.exp_avg", "w.exp_avg_sq"}) {
                  state.tensors.push_back({name, at::full({40}, version)});
                }
                write_train_state(place, state);
              },
          .open =
              [](const std::filesystem::path& place) {
                const TrainState state = read_train_state(place);
                const int version = state.about.at("step");
                check(state.tensors.size() == 3, "tensors are missing");
                for (const StateTensor& stored : state.tensors) {
                  const float* values = stored.tensor.const_data_ptr<float>();
                  for (int i = 0; i < 40; ++i)
                    check(values[i] == static_cast<float>(version), stored.name, " is of another step");
                }
                return version;
              }};
}

}  // namespace lathe
