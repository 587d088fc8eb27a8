#include "app/tour_report.h"

#include <array>
#include <cstdio>
#include <vector>

#include "model/data/error.h"

namespace lathe {
namespace {

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), pattern, values...);
  return line.data();
}

double seconds_of(const Session& session, const std::string& title_start) {
  double seconds = 0.0;
  for (const JobView& job : session.jobs) {
    if (job.title.starts_with(title_start)) seconds += job.seconds;
  }
  return seconds;
}

std::string layer_table(const Receipt& receipt) {
  std::string table =
      "| layer | part | method | relative output error | parameters | cache values/token | seconds |\n"
      "|---:|---|---|---:|---:|---:|---:|\n";
  for (const LayerReceipt& layer : receipt.layers) {
    table += format("| %lld | %s | %s | %.4f | %+lld | %lld → %lld | %.2f |\n", static_cast<long long>(layer.layer),
                    layer.part == LayerPart::Attention ? "attention" : "feed-forward", layer.method.c_str(),
                    layer.relative_error, static_cast<long long>(layer.params_after - layer.params_before),
                    static_cast<long long>(layer.kv_values_before), static_cast<long long>(layer.kv_values_after),
                    layer.seconds);
  }
  return table;
}

std::string writing_section(const char* title, const Writing& writing) {
  if (!writing.result) return {};
  return format("### %s (%.1f tokens/s)\n\n", title, writing.result->tokens_per_second) + "> " + writing.prompt +
         "\n\n" + writing.text + "\n\n";
}

}  // namespace

TourLosses tour_losses(const Session& session) {
  const auto& held_out = session.train.held_out;
  check(held_out.size() >= 2, "the tour has no held-out losses: nothing was trained");
  return {.original = held_out.front().original, .converted = held_out.front().nll, .healed = held_out.back().nll};
}

std::string tour_report(const Session& session, const std::vector<std::string>& figures) {
  check(session.model.has_value() && session.receipt.has_value(), "the tour has no converted model to report on");
  const Receipt& receipt = *session.receipt;
  const TourLosses losses = tour_losses(session);
  std::string report = "# Lathe tour: " + session.model->name + "\n\nOn " + session.model->device + ", " +
                       session.model->dtype + ". Plan: " + receipt.plan.name + ". " + receipt.plan.description + "\n\n";
  report += "| | before | after |\n|---|---:|---:|\n";
  report += format("| parameters | %.2f M | %.2f M |\n", static_cast<double>(receipt.sizes_before.params) / 1e6,
                   static_cast<double>(receipt.sizes_after.params) / 1e6);
  report += format("| cache values per token | %lld | %lld |\n",
                   static_cast<long long>(receipt.sizes_before.kv_values_per_token),
                   static_cast<long long>(receipt.sizes_after.kv_values_per_token));
  report += format("| held-out loss, nats/token | %.4f | %.4f |\n", losses.original, losses.converted);
  report += format("| the same after %zu healing steps | | %.4f (%.0f %% of the loss recovered) |\n\n",
                   session.train.loss.size(), losses.healed, 100.0 * losses.recovered());
  report += format("Converted in %.1f s, healed in %.1f s.\n\n", seconds_of(session, "Convert"),
                   seconds_of(session, "Train"));
  report += "## Layers\n\n" + layer_table(receipt) + "\n## Written\n\n";
  report += writing_section("Converted and healed", session.writing);
  report += writing_section("Original", session.writing_original);
  for (const std::string& figure : figures) report += "![" + figure + "](" + figure + ")\n";
  return report;
}

}  // namespace lathe
