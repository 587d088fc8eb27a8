#pragma once

#include <string>
#include <vector>

#include "model/data/model_preview.h"
#include "model/nn/stored_parts.h"

namespace lathe {

class Checkpoint;

/// What a tensor in memory is stored as in this checkpoint: files of transformers 5 may hold the experts of a layer in
/// one tensor, as memory does.
std::vector<StoredPart> parts_in(const Checkpoint& checkpoint, const std::string& name, at::IntArrayRef shape);

/// The tensors that the checkpoint's config describes, in the network's order, and then those that it does not. What a
/// loader leaves out without harm (a repeated head, angles that follow from the config) counts as matched. Reads no
/// weights but a repeated head's.  Throws Error if the config is not one.
std::vector<TensorInfo> match_tensors(const Checkpoint& checkpoint);

/// Throws Error with the missing, unexpected and misshapen tensors at once, of each kind the first by name.
void check_tensors(const std::vector<TensorInfo>& tensors, const std::string& path);

}  // namespace lathe
