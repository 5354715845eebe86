#pragma once
#include <cstdint>

#include "cpu/compute.h"
#include "cpu/linear/linear.h"

namespace eyrie {

/// x[m, k] = rows ids[m] of the table, as float32. The table is a packed matrix, so that a tied head is held once.
/// Throws invalid_request for an id outside [0, table.n()).
void embed(const Compute& compute, const PackedLinear& table, const int32_t* ids, int64_t m, float* x);

}  // namespace eyrie
