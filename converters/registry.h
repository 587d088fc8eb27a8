#pragma once

#include <span>
#include <string_view>

#include "converters/mla/method.h"
#include "converters/moe/method.h"
#include "model/data/receipt.h"

namespace lathe {

/// One setting of a method, as a plan spells it.
struct Knob {
  std::string_view key;
  std::string_view range;     ///< which values are allowed
  std::string_view fallback;  ///< the value when the plan is silent
  std::string_view meaning;
};

/// What a method is, for `lathe methods` and the Inspector.
struct MethodInfo {
  std::string_view name;
  LayerPart part = LayerPart::Attention;
  std::string_view summary;
  std::string_view source;
  std::string_view exact_when;  ///< when the converted layer computes the same as the original
  std::span<const Knob> knobs;
};

/// All methods in the order they are shown.
std::span<const MethodInfo> methods();

/// The function behind a method's name. Throws Error that lists the known ones.
AttentionMethod attention_method(std::string_view name);

/// Whether the feed-forward method of that name takes the layer's Activations.
bool needs_activations(std::string_view name);

/// Whether the attention method of that name takes the layer's Fisher moment.
bool needs_fisher(std::string_view name);
FeedForwardMethod feed_forward_method(std::string_view name);

}  // namespace lathe
