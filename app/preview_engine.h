#pragma once

#include <memory>

#include "app/engine.h"

namespace lathe {

/// Answers PreviewModel, and nothing else, without a model: on a worker of its own it looks at files while the engine
/// trains.
std::unique_ptr<Engine> make_preview_engine();

}  // namespace lathe
