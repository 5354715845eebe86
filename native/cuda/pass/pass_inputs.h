#pragma once
// What the kernels of a pass are told about its rows, laid out in one block of memory: one copy to the card a pass. The block's addresses
// never change, so that a captured graph can be replayed with other contents.

#include <array>
#include <cstdint>
#include <span>

#include "cuda/device.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/pass.h"
#include "engine/backend.h"

namespace eyrie::cuda {

/// Everything that decides which kernels run, and how large: equal shapes launch equal kernels.
struct PassShape {
  int rows = 0;
  int head_rows = 0;
  int single_rows = 0;
  int splits_max = 0;
  int tiles = 0;
  bool decode_only = false;  ///< each row is a head row and attends alone; padded to a rung, so that a graph can stand for it
  bool operator==(const PassShape&) const = default;
};

struct PassLimits {
  int rows_max = 0;
  int slots = 0;
  int pages_per_slot = 0;
};

/// Smallest of 1, 2, 3, 4, 6, 8, 12, ... that is not below `splits`, at most `splits_max`: how finely graphs are told apart by length.
int splits_rung(int splits, int splits_max);

class PassInputs {
 public:
  PassInputs(Device& device, const PassLimits& limits);
  static uint64_t bytes_needed(const PassLimits& limits);

  /// Lays out the rows of `spans` and the page table, and starts the copy to the card. Throws internal_error for a pass that is larger
  /// than the limits.
  PassShape put(Stream& stream, std::span<const int32_t> tokens, std::span<const PassSpan> spans, std::span<const int32_t> page_table);

  PassRows rows(const PassShape& shape) const;
  AttentionPlan attention(const PassShape& shape) const;
  /// Device [head rows]: row of the pass, or -1 for padding.
  const int32_t* head_row_of() const { return part(kHeadRowOf); }
  /// Device [slots][pages_per_slot].
  const int32_t* page_table() const { return part(kPageTable); }

 private:
  enum Part { kTokens, kPositions, kSlots, kSingles, kTiles, kHeadRowOf, kPageTable, kParts };
  using Offsets = std::array<size_t, kParts + 1>;  // in int32; the last one is the end
  static Offsets offsets_for(const PassLimits& limits);
  const int32_t* part(Part which) const { return block_.as<int32_t>() + offsets_[which]; }
  void add_rows(PassShape& shape, const PassSpan& span, int32_t* host) const;
  void add_chunks(PassShape& shape, const PassSpan& span, int first_row, int32_t* host) const;
  void pad_to_rung(PassShape& shape, int32_t* host) const;

  /// Two, so that the host may lay out a pass while the copy of the one before has not been made yet.
  struct Staging {
    PinnedBuffer memory;
    Event copied;
  };

  PassLimits limits_;
  Offsets offsets_;
  DeviceBuffer block_;
  std::array<Staging, 2> staging_;
  int next_ = 0;
};

}  // namespace eyrie::cuda
