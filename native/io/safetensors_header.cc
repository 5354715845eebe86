#include "io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "error.h"
#include "io/bounds.h"
#include "io/json_cursor.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

std::optional<TensorDtype> dtype_of(std::string_view name) {
  for (const TensorDtype dtype :
       {TensorDtype::bf16, TensorDtype::f16, TensorDtype::f32, TensorDtype::i8, TensorDtype::f8_e4m3, TensorDtype::f64, TensorDtype::i64,
        TensorDtype::i32, TensorDtype::i16, TensorDtype::u8, TensorDtype::boolean}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  return std::nullopt;
}

void parse_metadata(JsonCursor& json) {
  std::unordered_set<std::string> keys;
  json.object([&](const std::string& key) {
    if (!keys.insert(key).second) json.fail("duplicate key " + quoted_text(key) + " in __metadata__");
    static_cast<void>(json.string());
  });
}

// One `{dtype, shape, data_offsets}`. `offset` stays relative to the data and `bytes` = end - begin, checked against the shape.
TensorInfo parse_tensor(JsonCursor& json, const std::string& name) {
  TensorInfo tensor;
  tensor.name = name;
  std::array<uint64_t, 2> range{};
  bool have_dtype = false;
  bool have_shape = false;
  bool have_range = false;
  const auto once = [&](bool& have, const char* key) {
    if (have) json.fail("tensor " + quoted_text(name) + " has " + key + " twice");
    have = true;
  };
  json.object([&](const std::string& key) {
    if (key == "dtype") {
      once(have_dtype, "dtype");
      const std::string text = json.string();
      const std::optional<TensorDtype> dtype = dtype_of(text);
      if (!dtype) {
        json.fail("tensor " + quoted_text(name) + " has dtype " + quoted_text(text) + "; weights must be BF16, F16 or F32");
      }
      tensor.dtype = *dtype;
    } else if (key == "shape") {
      once(have_shape, "shape");
      json.array([&] {
        if (tensor.shape.size() == bounds::kDimensionsMax) {
          json.fail("tensor " + quoted_text(name) + " has more than " + std::to_string(bounds::kDimensionsMax) + " dimensions");
        }
        tensor.shape.push_back(json.unsigned_integer());
      });
    } else if (key == "data_offsets") {
      once(have_range, "data_offsets");
      size_t count = 0;
      json.array([&] {
        const uint64_t value = json.unsigned_integer();
        if (count < 2) range[count] = value;
        ++count;
      });
      if (count != 2) json.fail("tensor " + quoted_text(name) + ": data_offsets must be [begin, end]");
    } else {
      json.fail("tensor " + quoted_text(name) + " has an unknown key " + quoted_text(key));
    }
  });
  if (!have_dtype || !have_shape || !have_range) {
    json.fail("tensor " + quoted_text(name) + " needs dtype, shape and data_offsets");
  }
  if (range[1] < range[0]) json.fail("tensor " + quoted_text(name) + " ends before it begins");
  uint64_t wanted = 0;
  if (!shape_bytes(tensor.shape, dtype_bytes(tensor.dtype), wanted) || wanted != range[1] - range[0]) {
    json.fail("tensor " + quoted_text(name) + " of shape " + shape_text(tensor.shape) + " " + dtype_name(tensor.dtype) +
              " does not fill its " + std::to_string(range[1] - range[0]) + " bytes");
  }
  tensor.offset = range[0];
  tensor.bytes = wanted;
  return tensor;
}

// Ranges must follow each other from 0 to data_bytes.
void check_tiling(const std::vector<TensorInfo>& tensors, uint64_t data_bytes, const std::string& file) {
  std::vector<const TensorInfo*> sorted;
  sorted.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes; });
  uint64_t end = 0;
  for (const TensorInfo* tensor : sorted) {
    if (tensor->offset != end) {
      throw Error(ErrorCode::model_invalid,
                  file + ": tensor " + quoted_text(tensor->name) + (tensor->offset < end ? " overlaps" : " leaves a gap after") +
                      " the one before it (begins at " + std::to_string(tensor->offset) + ", expected " + std::to_string(end) + ")");
    }
    end = tensor->offset + tensor->bytes;
  }
  if (end != data_bytes) {
    throw Error(ErrorCode::model_invalid, file + ": the header describes " + std::to_string(end) + " bytes of data, the file holds " +
                                              std::to_string(data_bytes) + (end > data_bytes ? "; the download is incomplete" : ""));
  }
}

}  // namespace

std::vector<TensorInfo> parse_safetensors_header(std::string_view header, uint64_t data_bytes, const std::string& file) {
  if (header.empty() || header.front() != '{') {
    throw Error(ErrorCode::model_invalid, file + ": the header does not start with '{'; is this a safetensors file?");
  }
  JsonCursor json(header, file);
  std::vector<TensorInfo> tensors;
  std::unordered_set<std::string> names;
  json.object([&](const std::string& name) {
    if (!names.insert(name).second) json.fail("duplicate key " + quoted_text(name));
    if (name.size() > bounds::kTensorNameBytesMax) json.fail("a tensor name is too long: " + quoted_text(name));
    if (name == "__metadata__") return parse_metadata(json);
    if (tensors.size() == bounds::kTensorsMax) {
      json.fail("more than " + std::to_string(bounds::kTensorsMax) + " tensors");
    }
    tensors.push_back(parse_tensor(json, name));
  });
  json.end();
  check_tiling(tensors, data_bytes, file);
  for (TensorInfo& tensor : tensors) tensor.offset += 8 + header.size();
  return tensors;
}

std::vector<TensorInfo> read_safetensors_header(const InputFile& file) {
  if (file.size() < 8) {
    throw Error(ErrorCode::model_invalid, file.name() + ": " + std::to_string(file.size()) + " bytes are too few for a safetensors file");
  }
  std::array<std::byte, 8> prefix{};
  file.read_at(0, prefix);
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < 8; ++i) header_bytes |= std::to_integer<uint64_t>(prefix[i]) << (8 * i);
  if (header_bytes > bounds::kSafetensorsHeaderBytesMax || header_bytes > file.size() - 8) {
    throw Error(ErrorCode::model_invalid, file.name() + ": header length " + std::to_string(header_bytes) + " exceeds the file of " +
                                              std::to_string(file.size()) +
                                              " bytes or the allowed 100 MB; damaged, or not a safetensors file");
  }
  std::string header(header_bytes, '\0');
  file.read_at(8, std::as_writable_bytes(std::span(header)));
  return parse_safetensors_header(header, file.size() - 8 - header_bytes, file.name());
}

}  // namespace eyrie
