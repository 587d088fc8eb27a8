#pragma once

#include "views/view.h"

namespace lathe {

/// Prompt, settings and what was written: the converted model beside the original, every token with its probability and
/// what else it could have been.
class GenerateView : public View {
 public:
  Info info() const override {
    return {"generate", "Generate", {Place::None, Place::None, Place::Center, Place::None}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_prompt(const Session& session, UiState& ui, Commands& commands);
  void draw_columns(const Session& session, UiState& ui, Commands& commands);
};

/// How a text is chosen: temperature, filters, seed, stop strings.
class SamplingView : public View {
 public:
  Info info() const override { return {"sampling", "Sampling", {Place::None, Place::None, Place::Right, Place::None}}; }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  std::string stop_;  ///< one stop string a line, as typed
};

/// The first position where both wrote another token; the shorter length if they agree that far.
std::size_t first_difference(const Writing& a, const Writing& b);

}  // namespace lathe
