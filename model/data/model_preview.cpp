#include "model/data/model_preview.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace lathe {
namespace {

std::string gigabytes(std::int64_t bytes) { return text(std::ceil(static_cast<double>(bytes) / 1e8) / 10, " GB"); }

bool is_gpu(const MemoryChoice& choice) { return choice.device != "cpu"; }

std::string next_step(const MemoryChoice& wanted, const MemoryChoice* nearest) {
  if (nearest == nullptr) {
    return text("close what else uses memory, or use a machine with ", gigabytes(wanted.need_bytes), " free");
  }
  const std::string dtype = text("load it as ", nearest->dtype, " (", gigabytes(nearest->need_bytes), ")");
  if (nearest->device == wanted.device) return dtype;
  const std::string place = text("load it on ", nearest->device == "cpu" ? "the CPU" : nearest->device);
  return nearest->dtype == wanted.dtype ? place : text(place, " as ", nearest->dtype);
}

}  // namespace

const char* name_of(TensorState state) {
  switch (state) {
    case TensorState::Matched:
      return "matched";
    case TensorState::Missing:
      return "missing";
    case TensorState::Unexpected:
      return "unexpected";
    case TensorState::WrongShape:
      return "wrong shape";
  }
  return "";
}

MemoryChoice chosen(const std::vector<MemoryChoice>& choices, const std::string& device, const std::string& dtype) {
  const auto gpu = std::ranges::find_if(choices, is_gpu);
  MemoryChoice wanted{.device = device, .dtype = dtype};
  if (device == "auto" || device == "cuda") wanted.device = gpu != choices.end() ? gpu->device : "cpu";
  if (dtype == "auto") wanted.dtype = is_gpu(wanted) ? "bf16" : "f32";
  const auto known = std::ranges::find_if(choices, [&](const MemoryChoice& choice) {
    return choice.device == wanted.device && choice.dtype == wanted.dtype;
  });
  return known != choices.end() ? *known : wanted;
}

std::optional<ErrorParts> memory_refusal(const std::vector<MemoryChoice>& choices, const MemoryChoice& wanted,
                                         const std::string& path) {
  if (wanted.fits()) return std::nullopt;
  const MemoryChoice* nearest = nullptr;
  const auto change = [&](const MemoryChoice& choice) {
    return std::tuple(choice.device != wanted.device, choice.dtype != wanted.dtype, -choice.need_bytes);
  };
  for (const MemoryChoice& choice : choices) {
    if (choice.fits() && (nearest == nullptr || change(choice) < change(*nearest))) nearest = &choice;
  }
  return ErrorParts{.code = ErrorCode::Memory,
                    .what = text("the weights do not fit into memory as ", wanted.dtype, " on ", wanted.device),
                    .where = path,
                    .got = text(std::floor(static_cast<double>(wanted.free_bytes) / 1e8) / 10, " GB free"),
                    .expected = text("at least ", gigabytes(wanted.need_bytes), " for the weights"),
                    .hint = next_step(wanted, nearest)};
}

}  // namespace lathe
