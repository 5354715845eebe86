#pragma once
// Which algorithm a matrix product runs with, decided from what a trial of each found. Timing chooses only among algorithms that give equal
// bits, and the bits themselves are chosen without any timing: a start that is timed otherwise gives the same bytes.

#include <cstdint>
#include <vector>

namespace eyrie::cuda {

/// One algorithm at one number of rows.
struct Candidate {
  uint64_t bits = 0;  ///< of the rows that all trials share
  float microseconds = 0;
};

struct ClassChoice {
  uint64_t bits = 0;
  /// Per bucket: the fastest candidate of the class, -1 where it has none.
  std::vector<int> fastest;
};

/// `buckets` by ascending rows, each with its candidates in the order in which the library prefers them; the last one must not be empty.
/// Taken is the class of bits, among those of the last bucket, whose first candidates stand highest in the library's order over all
/// buckets; a bucket without a candidate of the class counts as one rank behind the last. Equal sums: the class that the last bucket
/// prefers.
ClassChoice choose_class(const std::vector<std::vector<Candidate>>& buckets);

}  // namespace eyrie::cuda
