#pragma once
// `*.index.json`: which shard holds which tensor.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eyrie {

struct WeightIndex {
  /// Plain file names, each once, in the order they first occur.
  std::vector<std::string> shards;
  /// Tensor name to its place in `shards`.
  std::unordered_map<std::string, size_t> shard_of;
};

/// Throws model_invalid: no weight_map, a name listed twice, or a shard that is not a plain file name in the same folder
/// (a path would let a downloaded model read any file of this machine).
WeightIndex parse_weight_index(std::string_view json, const std::string& file);

}  // namespace eyrie
