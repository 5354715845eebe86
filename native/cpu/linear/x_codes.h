#pragma once
// x as 8-bit codes, for levels that multiply int8 weights by int8 x (linear.h says which).
//
// k is taken in groups of 128. Of each row and group, with s = max|x| / 127 in float32:
//   code = x / s, rounded to nearest even: -127..127          x ~ code * s, off by at most s / 2
// A row's sum is the chain over ascending groups of fma(float(sum of weight * code), s, sum so far). The inner sums are
// integers of at most 23 bits: exact, in whatever order, and exact as floats.
//
// A step of a code block is one group:
//   [8 rows][128] int8 codes, [8] int32 offsets, [8] float32 s
// The multiply instruction wants its other operand unsigned: it gets weight + 128, and sums start at the offset, which is
// -128 times the sum of the row's codes.

#include <cstdint>

namespace eyrie {

constexpr int64_t kCodeGroup = 128;
constexpr int64_t kCodeRows = 8;
constexpr int64_t kCodeOffsetsAt = kCodeRows * kCodeGroup;
constexpr int64_t kCodeScalesAt = kCodeOffsetsAt + kCodeRows * 4;
constexpr int64_t kCodeStepBytes = kCodeScalesAt + kCodeRows * 4;

/// A group whose largest magnitude is below this counts as zero: 127 / max|x| would leave the range of float32.
constexpr float kCodeFloor = 1e-30f;

}  // namespace eyrie
