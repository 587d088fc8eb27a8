#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "model/data/session.h"

namespace lathe {

/// Contents of the files that panels save: pure functions of what they show. CSV as RFC 4180, numbers with all digits
/// that a float has.
std::string train_csv(const TrainCurves& train);
std::string router_csv(const TrainCurves& train);
std::string choices_csv(const std::map<std::int64_t, std::shared_ptr<const RouterChoices>>& by_layer);
std::string spectra_csv(const std::vector<LayerReceipt>& layers);
std::string attention_csv(const AttentionMap& map);
/// `original`: what was written beside it, or null.
std::string writing_csv(const Writing& writing, const Writing* original);
std::string receipt_csv(const std::vector<LayerReceipt>& layers);

/// A row for each cell of the region that is shown; the JSON holds the figures and the histogram.
std::string tensor_csv(const TensorPicture& picture);
std::string tensor_json(const TensorPicture& picture);

std::string train_json(const TrainCurves& train);
std::string receipt_text(const Receipt& receipt);

/// What turns the entropy of a load in nats into H / ln E, 1 at perfect balance.
double entropy_scale(std::size_t experts);

/// A field of a CSV file, quoted where it must be.
std::string csv_field(const std::string& text);

}  // namespace lathe
