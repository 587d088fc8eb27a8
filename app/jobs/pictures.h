#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/engine.h"
#include "model/io/tokenizer.h"
#include "model/nn/layer.h"

namespace lathe {

/// Makes the pictures that the window shows right now, and no others.
class Pictures {
 public:
  /// The tokens to look at where a watch names no text; none: the opening of the text that ships.
  void look_at(std::vector<std::int32_t> ids) { ids_ = std::move(ids); }

  /// Draws every watched picture of `model` as it is now. A watch that does not fit the model (a layer that is no MoE)
  /// draws nothing. Throws Cancelled.
  void draw(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job);

  /// The model that a watch of the original looks at. Keeps a handle of it.
  void set_original(Model original) { original_ = std::move(original); }

  /// The same; what cannot be drawn becomes a warning. False then. Throws Cancelled.
  bool draw_or_warn(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job);

  /// The same, but rarely enough that it takes at most a tenth of the time, and not at all if nothing is watched: for
  /// use at every step of a long job.
  void draw_sparingly(const Model& model, const Tokenizer& tokenizer, const Outbox& outbox, const Job& job);

 private:
  using Clock = std::chrono::steady_clock;

  std::vector<std::int32_t> ids_of(const Watch& watch, const Model& model, const Tokenizer& tokenizer) const;

  void draw_tensor(const Watch& watch, const Model& model, const Outbox& outbox, const Job& job);
  void draw_tokens(const Watch& watch, const Model& model, const Tokenizer& tokenizer, const Outbox& outbox,
                   const Job& job);

  std::vector<std::int32_t> ids_;
  Model original_;
  at::Tensor measured_;  ///< whose figures these are: another region of the same tensor costs that region alone
  TensorFigures figures_;
  std::int64_t version_ = 0;
  Clock::time_point next_{};
};

}  // namespace lathe
