#pragma once

#include <memory>

#include "app/engine.h"

namespace lathe {

struct EngineOptions {
  int threads = 0;  ///< for CPU work; 0: as many as the machine has
};

/// The engine over the network, the conversions and the training. Call on the thread that will use it.
std::unique_ptr<Engine> make_torch_engine(const EngineOptions& options);

}  // namespace lathe
