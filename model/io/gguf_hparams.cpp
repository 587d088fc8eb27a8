#include "model/io/gguf_hparams.h"

#include <array>
#include <charconv>

namespace lathe {

namespace {

/// The shortest decimal that means the same f32: files store 1e-5 as f32, and 1e-05 is what its author wrote.
double as_written(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(value)).ptr;
  double result = value;
  std::from_chars(digits.data(), end, result);
  return result;
}

}  // namespace

GgufHparams::GgufHparams(const GgufParts& parts)
    : parts_(parts), architecture_(parts.front()->string("general.architecture").value_or("")) {}

std::optional<double> GgufHparams::number(std::string_view key) const {
  const auto value = file().number(full(key));
  return value ? std::optional(as_written(*value)) : std::nullopt;
}

std::int64_t GgufHparams::required(std::string_view key) const {
  const auto value = integer(key);
  if (!value) {
    refuse(ErrorCode::Config, text("the key \"", full(key), "\" is missing"), "no such key", "a whole number");
  }
  return *value;
}

double GgufHparams::required_number(std::string_view key) const {
  const auto value = number(key);
  if (!value) refuse(ErrorCode::Config, text("the key \"", full(key), "\" is missing"), "no such key", "a number");
  return *value;
}

void GgufHparams::refuse(ErrorCode code, std::string what, std::string got, std::string expected) const {
  throw Error({.code = code,
               .what = std::move(what),
               .where = file().path().string(),
               .got = std::move(got),
               .expected = std::move(expected),
               .hint = "convert the model to GGUF again with a current converter, or open its Hugging Face folder"});
}

}  // namespace lathe
