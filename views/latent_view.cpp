#include "views/latent_view.h"

#include <implot.h>

#include <algorithm>
#include <cmath>

#include "views/actions.h"
#include "views/data_files.h"
#include "views/layer_cell.h"
#include "views/line_plot.h"
#include "views/spectrum.h"
#include "views/widgets.h"

namespace lathe {
namespace {

constexpr double kFloor = 1e-9;  // of what a log axis shows

void find_spectra(const Session& session, std::vector<const LayerReceipt*>& found) {
  found.clear();
  if (!session.model) return;
  for (std::int64_t layer = 0; layer < session.model->config.num_layers(); ++layer) {
    const LayerReceipt* receipt = receipt_of(session, {layer, LayerPart::Attention});
    if (receipt != nullptr && !receipt->spectrum.eigenvalues.empty()) found.push_back(receipt);
  }
}

void mark_rank(std::int64_t rank) {
  const double x = static_cast<double>(rank);
  ImPlotSpec spec;
  spec.LineColor = colors().moe;
  spec.LineWeight = px(1.5F);
  ImPlot::PlotInfLines("kept rank", &x, 1, spec);
  ImPlot::TagX(x, colors().moe, "%lld", static_cast<long long>(rank));
}

bool begin(const char* id, ImVec2 size) {
  const ImPlotFlags legend = size.y > px(kLeastForLegend + 40) ? 0 : ImPlotFlags_NoLegend;
  return ImPlot::BeginPlot(id, size, ImPlotFlags_NoMenus | ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | legend);
}

void setup(const char* y_label, double last) {
  ImPlot::SetupAxis(ImAxis_X1, "rank", ImPlotAxisFlags_NoHighlight);
  ImPlot::SetupAxis(ImAxis_Y1, y_label, ImPlotAxisFlags_NoHighlight | ImPlotAxisFlags_AutoFit);
  ImPlot::SetupAxisLimits(ImAxis_X1, 1, last, ImPlotCond_Always);
  ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  ImPlot::SetupAxisFormat(ImAxis_Y1, "%.0e");
  ImPlot::SetupLegend(ImPlotLocation_NorthEast);
}

void plot_line(const char* label, const std::vector<double>& x, const std::vector<double>& y, const ImVec4& tint) {
  ImPlotSpec spec;
  spec.LineColor = tint;
  spec.LineWeight = px(1.8F);
  ImPlot::PlotLine(label, x.data(), y.data(), static_cast<int>(std::min(x.size(), y.size())), spec);
}

}  // namespace

void LatentView::draw(const Session& session, UiState& ui, Commands& commands) {
  find_spectra(session, spectra_);
  if (spectra_.empty()) {
    if (empty_state("Plan an MLA layer on the board (M) and convert it: the spectrum that its low rank cuts, and what "
                    "is lost at every rank, appear here.",
                    session.model && ui.plan.plan().empty() ? "Suggest a plan" : nullptr))
      run_action("plan.suggest", {session, ui, commands});
    return;
  }
  const auto chosen =
      std::ranges::find(spectra_, ui.latent_layer, [](const LayerReceipt* receipt) { return receipt->layer; });
  const LayerReceipt& receipt = chosen == spectra_.end() ? *spectra_.front() : **chosen;
  ui.latent_layer = receipt.layer;
  if (ui.watch_latent) commands.watch({.kind = PictureKind::LiveLatent, .layer = receipt.layer, .prompt = {}});
  prepare(receipt.spectrum);
  if (ImGui::BeginChild("layers", {px(172), 0})) draw_layers(ui);
  ImGui::EndChild();
  ImGui::SameLine();
  if (ImGui::BeginChild("plots")) draw_plots(session, receipt.spectrum, ui, commands);
  ImGui::EndChild();
}

void LatentView::draw_plots(const Session& session, const LatentSpectrum& spectrum, UiState& ui, Commands& commands) {
  ImGui::Checkbox("live latents", &ui.watch_latent);
  explain("Also draw the eigenvalues of the second moment of the latents of the tokens last seen, as they are now");
  ImGui::SameLine();
  export_button("latent export");
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const ImVec2 space = ImGui::GetContentRegionAvail();
  constexpr const char* kSource = "Measured on the calibration text; the line marks the rank that was kept.";
  const float half = std::max(px(120), (space.y - caption_height(kSource) - 2 * ImGui::GetStyle().ItemSpacing.y) / 2);
  const auto live = session.live_latents.find(spectrum.layer);
  const bool show_live = ui.watch_latent && live != session.live_latents.end();
  draw_spectrum(spectrum, show_live ? live->second.get() : nullptr, {space.x, half});
  draw_lost(spectrum, {space.x, half});
  caption(kSource);
  const Exports exports{"latent", [this] {
                          std::vector<LayerReceipt> layers;
                          for (const LayerReceipt* layer : spectra_) layers.push_back(*layer);
                          return spectra_csv(layers);
                        }};
  export_menu("latent export", {low.x, low.y, space.x, space.y}, exports, commands);
}

void LatentView::draw_layers(UiState& ui) {
  for (const LayerReceipt* receipt : spectra_) {
    const double kept = kept_energy(receipt->spectrum);
    ImGui::PushID(static_cast<int>(receipt->layer));
    const ShortText label = format("L%lld", static_cast<long long>(receipt->layer));
    if (ImGui::Selectable(label.c_str(), receipt->layer == ui.latent_layer)) ui.latent_layer = receipt->layer;
    ImGui::SameLine(px(44));
    ImGui::PushFont(mono_font(), ImGui::GetStyle().FontSizeBase * 0.9F);
    text_right(format("r%lld  %.2f %%", static_cast<long long>(receipt->spectrum.kept_rank), 100 * kept).c_str());
    ImGui::PopFont();
    thin_bar(static_cast<float>(kept), colors().mla, 3);
    ImGui::PopID();
  }
  caption("Share of the energy that the rank keeps: sum of kept eigenvalues / sum of all");
}

void LatentView::prepare(const LatentSpectrum& spectrum) {
  if (prepared_ == spectrum.eigenvalues) return;
  prepared_ = spectrum.eigenvalues;
  lost_ = lost_energy(spectrum.eigenvalues);
  rank_.clear();
  eigenvalue_.clear();
  for (std::size_t i = 0; i < spectrum.eigenvalues.size(); ++i) {
    rank_.push_back(static_cast<double>(i + 1));
    eigenvalue_.push_back(std::max(kFloor, static_cast<double>(spectrum.eigenvalues[i])));
    lost_[i] = std::max(kFloor, lost_[i]);
  }
}

void LatentView::draw_spectrum(const LatentSpectrum& spectrum, const LiveLatent* live, ImVec2 size) {
  if (!begin("##spectrum", size)) return;
  setup("eigenvalue", static_cast<double>(rank_.size()));
  plot_line("calibration", rank_, eigenvalue_, colors().accent);
  if (live != nullptr) {
    live_.clear();
    for (const float value : live->eigenvalues) live_.push_back(std::max(kFloor, static_cast<double>(value)));
    plot_line("latents now", rank_, live_, colors().good);
  }
  mark_rank(spectrum.kept_rank);
  ImPlot::EndPlot();
}

void LatentView::draw_lost(const LatentSpectrum& spectrum, ImVec2 size) {
  if (!begin("##lost", size)) return;
  setup("lost energy 1 \u2212 E(r)", static_cast<double>(rank_.size()));
  plot_line("lost energy", rank_, lost_, colors().mla);
  mark_rank(spectrum.kept_rank);
  ImPlot::EndPlot();
}

}  // namespace lathe
