#pragma once
#include <cstdint>

#include "cpu/compute.h"
#include "cpu/rotary_table.h"

namespace eyrie {

/// Rotates in place, NeoX form: the pairs are (i, i + head_dim/2), over the whole head.
/// rows: float32, row r at rows + r * row_stride, its first `heads` * head_dim values are rotated (queries, then keys,
/// lie side by side in the output of the QKV product, so one call does both). positions[m]: each < table.positions().
void rotary(const Compute& compute, const RotaryTable& table, float* rows, int64_t row_stride, int64_t m, int64_t heads,
            const int32_t* positions);

}  // namespace eyrie
