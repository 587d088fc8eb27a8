#pragma once

#include <ATen/core/Tensor.h>

#include "model/data/job.h"
#include "model/data/snapshot.h"

namespace lathe {

/// Over all values of the tensor, in fp64 sums, some rows at a time: needs no second copy of it. Equal bins from the
/// smallest to the largest finite value; without one there are none. Throws Cancelled.
TensorFigures tensor_figures(const at::Tensor& tensor, std::int64_t bins, const Job& job = {});

/// The region of the tensor, seen as a matrix whose rows are all dimensions but the last, in at most `max_side` cells a
/// side; a cell covers the same number of rows (columns) as every other but the last. `figures` and the names are left
/// to the caller. A region that leaves the tensor is moved into it.  Throws Cancelled.
TensorPicture tensor_picture(const at::Tensor& tensor, TensorRegion region, std::int64_t max_side, const Job& job = {});

}  // namespace lathe
