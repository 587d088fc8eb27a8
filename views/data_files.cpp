#include "views/data_files.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "views/spectrum.h"

namespace lathe {
namespace {

/// Appends printf's result.
template <typename... Values>
void add(std::string& out, const char* pattern, Values... values) {
  char buffer[256];
  const int length = std::snprintf(buffer, sizeof buffer, pattern, values...);
  out.append(buffer, static_cast<std::size_t>(length));
}

double at(const Series& series, std::size_t i) { return i < series.size() ? static_cast<double>(series[i]) : 0.0; }

long long number(std::int64_t value) { return static_cast<long long>(value); }

const char* name_of(LayerPart part) { return part == LayerPart::Attention ? "attention" : "feed_forward"; }

}  // namespace

double entropy_scale(std::size_t experts) {
  return 1.0 / std::log(std::max<double>(2.0, static_cast<double>(experts)));
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string train_csv(const TrainCurves& train) {
  std::string out = "step,loss,next_token,balance,kl,lr,grad_norm,tokens_per_second,held_out\n";
  std::size_t next = 0;
  while (next < train.held_out.size() && train.held_out[next].step < 1) ++next;
  for (std::size_t i = 0; i < train.loss.size(); ++i) {
    add(out, "%zu,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,", i + 1, at(train.loss, i), at(train.next_token, i),
        at(train.balance, i), at(train.kl, i), at(train.lr, i), at(train.grad_norm, i), at(train.tokens_per_second, i));
    if (next < train.held_out.size() && train.held_out[next].step == static_cast<std::int64_t>(i + 1))
      add(out, "%.9g", train.held_out[next++].nll);
    out += '\n';
  }
  return out;
}

std::string train_json(const TrainCurves& train) {
  const auto list = [](const Series& series) {
    const auto samples = series.samples();
    return nlohmann::json(std::vector<float>(samples.begin(), samples.end()));
  };
  nlohmann::json held_out = nlohmann::json::array();
  for (const HeldOut& held : train.held_out)
    held_out.push_back({{"step", held.step}, {"nll", held.nll}, {"original", held.original}});
  return nlohmann::json{{"steps", train.steps},
                        {"loss", list(train.loss)},
                        {"next_token", list(train.next_token)},
                        {"balance", list(train.balance)},
                        {"kl", list(train.kl)},
                        {"lr", list(train.lr)},
                        {"grad_norm", list(train.grad_norm)},
                        {"tokens_per_second", list(train.tokens_per_second)},
                        {"held_out", held_out},
                        {"skipped", train.skipped}}
      .dump(1);
}

std::string router_csv(const TrainCurves& train) {
  std::string out = "step,layer,expert,load,entropy_over_ln_experts,max_violation,dead,balance\n";
  for (const auto& [layer, router] : train.routers) {
    for (std::size_t step = 0; step < router.load.size(); ++step) {
      const double entropy = at(router.entropy, step) * entropy_scale(router.load[step].size());
      for (std::size_t expert = 0; expert < router.load[step].size(); ++expert)
        add(out, "%zu,%lld,%zu,%.9g,%.9g,%.9g,%.0f,%.9g\n", step + 1, number(layer), expert,
            static_cast<double>(router.load[step][expert]), entropy, at(router.max_violation, step),
            at(router.dead, step), at(router.balance, step));
    }
  }
  return out;
}

std::string choices_csv(const std::map<std::int64_t, std::shared_ptr<const RouterChoices>>& by_layer) {
  std::string out = "layer,position,token_id,token,rank,expert,weight\n";
  for (const auto& [layer, choices] : by_layer) {
    const auto top_k = static_cast<std::size_t>(choices->top_k);
    for (std::size_t i = 0; i < choices->tokens.size(); ++i) {
      for (std::size_t k = 0; k < top_k && i * top_k + k < choices->experts.size(); ++k) {
        add(out, "%lld,%zu,%lld,", number(layer), i, number(choices->tokens[i].id));
        out += csv_field(choices->tokens[i].text);
        add(out, ",%zu,%d,%.9g\n", k + 1, choices->experts[i * top_k + k],
            static_cast<double>(choices->weights[i * top_k + k]));
      }
    }
  }
  return out;
}

std::string spectra_csv(const std::vector<LayerReceipt>& layers) {
  std::string out = "layer,index,eigenvalue,lost_energy,kept\n";
  for (const LayerReceipt& layer : layers) {
    const std::vector<float>& eigenvalues = layer.spectrum.eigenvalues;
    const std::vector<double> lost = lost_energy(eigenvalues);
    for (std::size_t i = 0; i < eigenvalues.size(); ++i)
      add(out, "%lld,%zu,%.9g,%.9g,%d\n", number(layer.layer), i + 1, static_cast<double>(eigenvalues[i]), lost[i],
          static_cast<std::int64_t>(i) < layer.spectrum.kept_rank);
  }
  return out;
}

std::string attention_csv(const AttentionMap& map) {
  std::string out = "query,key,weight\n";
  for (std::int64_t query = 0; query < map.side; ++query) {
    for (std::int64_t key = 0; key <= query; ++key)
      add(out, "%lld,%lld,%.9g\n", number(query * map.pool), number(key * map.pool),
          static_cast<double>(map.weights[static_cast<std::size_t>(query * map.side + key)]));
  }
  return out;
}

std::string tensor_csv(const TensorPicture& picture) {
  std::string out = "first_row,rows,first_column,columns,min,mean,max\n";
  if (picture.tall == 0) return out;
  const TensorRegion& part = picture.region;
  const std::int64_t rows_each = (part.rows + picture.tall - 1) / picture.tall;
  const std::int64_t columns_each = (part.columns + picture.wide - 1) / picture.wide;
  for (std::int64_t row = 0; row < picture.tall; ++row) {
    for (std::int64_t column = 0; column < picture.wide; ++column) {
      const auto cell = static_cast<std::size_t>(row * picture.wide + column);
      add(out, "%lld,%lld,%lld,%lld,%.9g,%.9g,%.9g\n", number(part.first_row + row * rows_each),
          number(std::min(rows_each, part.rows - row * rows_each)), number(part.first_column + column * columns_each),
          number(std::min(columns_each, part.columns - column * columns_each)), static_cast<double>(picture.low[cell]),
          static_cast<double>(picture.mean[cell]), static_cast<double>(picture.high[cell]));
    }
  }
  return out;
}

std::string tensor_json(const TensorPicture& picture) {
  const TensorFigures& figures = picture.figures;
  return nlohmann::json{{"name", picture.name},
                        {"original", picture.original},
                        {"shape", picture.shape},
                        {"dtype", picture.dtype},
                        {"min", figures.min},
                        {"max", figures.max},
                        {"mean", figures.mean},
                        {"std", figures.stddev},
                        {"nan", figures.nan},
                        {"inf", figures.inf},
                        {"histogram", figures.histogram}}
             .dump(1) +
         "\n";
}

std::string writing_csv(const Writing& writing, const Writing* original) {
  std::string out = "model,position,token_id,token,probability\n";
  const auto rows = [&out](const char* model, const Writing& of) {
    for (std::size_t i = 0; i < of.tokens.size(); ++i) {
      add(out, "%s,%zu,%lld,", model, i, number(of.tokens[i].token.id));
      out += csv_field(of.tokens[i].token.text);
      add(out, ",%.9g\n", static_cast<double>(of.tokens[i].probability));
    }
  };
  rows("model", writing);
  if (original != nullptr) rows("original", *original);
  return out;
}

std::string receipt_csv(const std::vector<LayerReceipt>& layers) {
  std::string out = "layer,part,method,stage,relative_error,params_before,params_after,kv_before,kv_after,seconds\n";
  for (const LayerReceipt& layer : layers) {
    const auto row = [&](const std::string& stage, double error) {
      add(out, "%lld,%s,", number(layer.layer), name_of(layer.part));
      out += csv_field(layer.method) + "," + csv_field(stage);
      add(out, ",%.9g,%lld,%lld,%lld,%lld,%.3f\n", error, number(layer.params_before), number(layer.params_after),
          number(layer.kv_values_before), number(layer.kv_values_after), layer.seconds);
    };
    for (const StageCost& stage : layer.stages) row(stage.stage, stage.relative_error);
    row("whole", layer.relative_error);
  }
  return out;
}

std::string receipt_text(const Receipt& receipt) { return receipt_to_json(receipt).dump(2) + "\n"; }

}  // namespace lathe
