#pragma once
// Graphs of decode passes: a pass of one row per sequence is some hundred launches, which a graph makes one. Captured when a shape is met
// for the second time: the first pass runs launch by launch, so that all its kernels are loaded (and NCCL is connected) before a capture,
// in which neither is sure to be allowed, and a shape that does not come again costs no capture.

#include <functional>
#include <utility>
#include <vector>

#include "cuda/device.h"
#include "cuda/pass/pass_inputs.h"

namespace eyrie::cuda {

class DecodeGraphs {
 public:
  /// How many shapes are kept: one that is met later replaces the one that has not been used for longest.
  static constexpr size_t kGraphsMax = 48;

  /// Runs `pass` in the stream: as a graph where the shape allows it and `enabled`, launch by launch else.
  void run(Stream& stream, const PassShape& shape, bool enabled, const std::function<void()>& pass);
  size_t size() const { return graphs_.size(); }

 private:
  struct Entry {
    PassShape shape;
    Graph graph;  // empty: met once
  };
  std::vector<Entry> graphs_;  // the one used last at the end
};

}  // namespace eyrie::cuda
