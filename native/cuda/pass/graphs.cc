#include "cuda/pass/graphs.h"

#include <algorithm>

namespace eyrie::cuda {

void DecodeGraphs::run(Stream& stream, const PassShape& shape, bool enabled, const std::function<void()>& pass) {
  if (!enabled || !shape.decode_only) return pass();
  const auto found = std::find_if(graphs_.begin(), graphs_.end(), [&](const Entry& entry) { return entry.shape == shape; });
  if (found == graphs_.end()) {
    if (graphs_.size() == kGraphsMax) {
      // A graph that may still run must not be destroyed.
      stream.synchronize();
      graphs_.erase(graphs_.begin());
    }
    graphs_.push_back({shape, Graph()});
    return pass();
  }
  std::rotate(found, found + 1, graphs_.end());
  if (!graphs_.back().graph) {
    stream.begin_capture();
    try {
      pass();
    } catch (...) {
      // The stream must not stay in capture mode; what went wrong first is what counts.
      try {
        stream.end_capture();
      } catch (...) {  // NOLINT(bugprone-empty-catch)
      }
      throw;
    }
    graphs_.back().graph = stream.end_capture();
  }
  stream.replay(graphs_.back().graph);
}

}  // namespace eyrie::cuda
