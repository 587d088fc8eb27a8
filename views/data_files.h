#pragma once

#include <string>

#include "model/data/session.h"

namespace lathe {

/// Contents of the files that panels save: pure functions of what they show. CSV as RFC 4180, numbers with all digits
/// that a float has.
std::string train_csv(const TrainCurves& train);
std::string router_csv(const TrainCurves& train);
std::string choices_csv(const RouterChoices& choices);
std::string spectra_csv(const std::vector<LayerReceipt>& layers);
std::string attention_csv(const AttentionMap& map);
std::string writing_csv(const Writing& writing);
std::string receipt_csv(const std::vector<LayerReceipt>& layers);

std::string train_json(const TrainCurves& train);
std::string receipt_text(const Receipt& receipt);

/// A field of a CSV file, quoted where it must be.
std::string csv_field(const std::string& text);

}  // namespace lathe
