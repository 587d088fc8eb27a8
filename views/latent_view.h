#pragma once

#include "views/view.h"

namespace lathe {

/// The spectrum that the low rank of each MLA layer cuts, what is lost at every rank, and the eigenvalues of the
/// latents as they are now.
class LatentView : public View {
 public:
  Info info() const override {
    return {"latent", "Latent", {Place::Center, Place::CenterBelow, Place::None, Place::Center}};
  }
  void draw(const Session& session, UiState& ui, Commands& commands) override;

 private:
  void draw_layers(const Session& session, UiState& ui);
  void draw_plots(const Session& session, const LatentSpectrum& spectrum, UiState& ui, Commands& commands);
  void draw_spectrum(const LatentSpectrum& spectrum, const LiveLatent* live, ImVec2 size);
  void draw_lost(const LatentSpectrum& spectrum, ImVec2 size);
  void prepare(const LatentSpectrum& spectrum);

  std::vector<double> rank_, eigenvalue_, lost_;  ///< of the spectrum shown; kept for their memory alone
};

/// 1 - E(r) for r = 1…n: the share of the energy (sum of eigenvalues) that a cut after r loses.
std::vector<double> lost_energy(const std::vector<float>& eigenvalues);

}  // namespace lathe
