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
  void draw_layers(UiState& ui);
  void draw_plots(const Session& session, const LatentSpectrum& spectrum, UiState& ui, Commands& commands);
  void draw_spectrum(const LatentSpectrum& spectrum, const LiveLatent* live, ImVec2 size);
  void draw_lost(const LatentSpectrum& spectrum, ImVec2 size);
  void prepare(const LatentSpectrum& spectrum);

  // What is drawn, kept so that a frame computes and allocates nothing while the spectrum stays the same.
  std::vector<const LayerReceipt*> spectra_;
  std::vector<double> rank_, eigenvalue_, lost_, live_;
  std::vector<float> prepared_;  ///< the eigenvalues of which rank_, eigenvalue_ and lost_ were made
};

}  // namespace lathe
