#include "model/convert_layout.h"

#include <algorithm>
#include <cstdio>

#include "error.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

// Readers that map the file want the data aligned.
constexpr size_t kHeaderAlignment = 8;
constexpr uint64_t kLengthBytes = 8;

std::string published_name(const std::string& name) { return name == "lm_head.weight" ? name : std::string("transformer.").append(name); }

OutputTensor output(const std::string& name, TensorDtype dtype, std::vector<uint64_t> shape) {
  OutputTensor tensor{name, dtype, std::move(shape), 0, 0};
  shape_bytes(tensor.shape, dtype_bytes(dtype), tensor.bytes);
  return tensor;
}

TensorDtype stored_type(DType dtype) { return dtype == DType::int8 ? TensorDtype::i8 : TensorDtype::f8_e4m3; }

Conversion to_8_bits(const TensorInfo& source, const std::string& name, DType dtype) {
  return {&source, nullptr, output(name, stored_type(dtype), source.shape), {output(name + "_scale", TensorDtype::f32, {source.shape[0]})}};
}

/// The head is the touchiest of all matrices and a small part of a large model: e4m3 leaves it in bfloat16, as it does in the engine.
bool becomes_8_bits(TensorRole role, DType dtype) {
  return (role == TensorRole::matrix && (dtype == DType::int8 || dtype == DType::fp8)) ||
         (role == TensorRole::head && dtype == DType::int8);
}

std::vector<Conversion> conversions_of(const Checkpoint& checkpoint, const std::vector<FalconTensor>& tensors, bool tied_head,
                                       DType dtype) {
  std::vector<Conversion> all;
  const FalconTensor* head = nullptr;
  for (const FalconTensor& found : tensors) {
    if (found.role == TensorRole::spare_head || found.role == TensorRole::zero_bias) continue;
    if (found.role == TensorRole::head) head = &found;
    const TensorInfo& source = *found.tensor;
    const std::string name = published_name(source.name);
    if (found.scales != nullptr) {
      if (!becomes_8_bits(found.role, dtype) || source.dtype != stored_type(dtype)) {
        throw Error(ErrorCode::invalid_request, checkpoint.file_name(source) + ": tensor " + quoted_text(source.name) +
                                                    " is stored in 8 bits (" + dtype_name(source.dtype) + ") and cannot become " +
                                                    dtype_name(dtype) + "; convert the original");
      }
      Conversion copy = to_8_bits(source, name, dtype);
      copy.source_scales = found.scales;
      all.push_back(std::move(copy));
    } else if (becomes_8_bits(found.role, dtype)) {
      all.push_back(to_8_bits(source, name, dtype));
    } else {
      const bool exact = found.role == TensorRole::vector && source.dtype != TensorDtype::bf16;
      all.push_back({&source, nullptr, output(name, exact ? TensorDtype::f32 : TensorDtype::bf16, source.shape), {}});
    }
  }
  if (dtype == DType::int8 && tied_head && head == nullptr) all.push_back(to_8_bits(*tensors.front().tensor, "lm_head.weight", dtype));
  return all;
}

uint64_t bytes_of(const Conversion& conversion) {
  return conversion.weight.bytes + (conversion.scales.empty() ? 0 : conversion.scales.front().bytes);
}

void append_json(std::string& json, const OutputTensor& tensor) {
  json.append(",\"").append(tensor.name).append("\":{\"dtype\":\"").append(dtype_name(tensor.dtype));
  json.append("\",\"shape\":").append(shape_text(tensor.shape)).append(",\"data_offsets\":");
  json.append(shape_text({tensor.offset, tensor.offset + tensor.bytes})).append("}");
}

/// Places the tensors of a shard, wider types first so that each lies at a multiple of its element size, and writes the header.
void place(OutputShard& shard) {
  std::vector<OutputTensor*> tensors;
  for (Conversion& conversion : shard.conversions) {
    tensors.push_back(&conversion.weight);
    for (OutputTensor& scales : conversion.scales) tensors.push_back(&scales);
  }
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const OutputTensor* a, const OutputTensor* b) { return dtype_bytes(a->dtype) > dtype_bytes(b->dtype); });
  // Readers of Hugging Face ask for the format.
  std::string json = "{\"__metadata__\":{\"format\":\"pt\"}";
  uint64_t end = 0;
  for (OutputTensor* tensor : tensors) {
    tensor->offset = end;
    end += tensor->bytes;
    append_json(json, *tensor);
  }
  json += "}";
  json.resize((json.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  const uint64_t length = json.size();
  for (uint64_t byte = 0; byte < kLengthBytes; ++byte) shard.header += static_cast<char>(length >> (8 * byte) & 0xff);
  shard.header += json;
  std::stable_sort(shard.conversions.begin(), shard.conversions.end(), [](const Conversion& a, const Conversion& b) {
    return a.source->file != b.source->file ? a.source->file < b.source->file : a.source->offset < b.source->offset;
  });
}

}  // namespace

std::vector<OutputShard> lay_out_conversion(const Checkpoint& checkpoint, const std::vector<FalconTensor>& tensors, bool tied_head,
                                            DType dtype, uint64_t shard_bytes_max) {
  std::vector<OutputShard> shards;
  uint64_t filled = 0;
  for (Conversion& conversion : conversions_of(checkpoint, tensors, tied_head, dtype)) {
    const uint64_t bytes = bytes_of(conversion);
    if (shards.empty() || (filled > 0 && bytes > shard_bytes_max - std::min(filled, shard_bytes_max))) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    shards.back().conversions.push_back(std::move(conversion));
  }
  for (size_t index = 0; index < shards.size(); ++index) {
    char name[64];
    std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", index + 1, shards.size());
    shards[index].file_name = name;
    place(shards[index]);
  }
  return shards;
}

}  // namespace eyrie
