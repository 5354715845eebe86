#include "io/weight_index.h"

#include <algorithm>

#include "error.h"
#include "io/bounds.h"
#include "io/json_cursor.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= bounds::kFileNameBytesMax && name.front() != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

WeightIndex parse_weight_index(std::string_view text, const std::string& file) {
  WeightIndex index;
  std::unordered_map<std::string, size_t> shard_numbers;
  JsonCursor json(text, file);
  bool have_map = false;
  json.object([&](const std::string& key) {
    if (key != "weight_map") return json.skip();
    if (have_map) json.fail("weight_map occurs twice");
    have_map = true;
    json.object([&](const std::string& tensor) {
      if (tensor.size() > bounds::kTensorNameBytesMax) json.fail("a tensor name is too long: " + quoted_text(tensor));
      if (index.shard_of.size() == bounds::kTensorsMax) {
        json.fail("more than " + std::to_string(bounds::kTensorsMax) + " tensors");
      }
      const std::string shard = json.string();
      if (!is_plain_file_name(shard)) {
        json.fail("weight_map sends " + quoted_text(tensor) + " to " + quoted_text(shard) +
                  "; only plain file names beside the index are allowed");
      }
      const auto [place, is_new] = shard_numbers.try_emplace(shard, index.shards.size());
      if (is_new) {
        if (index.shards.size() == bounds::kShardsMax) {
          json.fail("more than " + std::to_string(bounds::kShardsMax) + " shards");
        }
        index.shards.push_back(shard);
      }
      if (!index.shard_of.try_emplace(tensor, place->second).second) {
        json.fail("weight_map lists " + quoted_text(tensor) + " twice");
      }
    });
  });
  json.end();
  if (!have_map) json.fail("no weight_map");
  return index;
}

}  // namespace eyrie
