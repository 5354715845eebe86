#pragma once
// What a converted checkpoint will hold: which tensor of which type lies where in which shard. Known before a value is read.

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "model/falcon_tensors.h"
#include "numbers/dtype.h"

namespace eyrie {

/// One tensor of the output. Matrices become BF16, I8 or F8_E4M3. Norms and biases, a few kilobytes, keep their values exactly: BF16 stays,
/// F16 and F32 become F32, because the engine holds them as float32.
struct OutputTensor {
  std::string name;  ///< as published: with the `transformer.` prefix, but for lm_head.weight
  TensorDtype dtype = TensorDtype::bf16;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
  uint64_t offset = 0;  ///< within the data of the shard
};

/// A source tensor and what becomes of it.
struct Conversion {
  const TensorInfo* source = nullptr;
  const TensorInfo* source_scales = nullptr;  ///< of a source in 8 bits, which is copied
  OutputTensor weight;
  std::vector<OutputTensor> scales;  ///< one, of 8-bit weights; else none
};

struct OutputShard {
  std::string file_name;  ///< model-00001-of-00003.safetensors
  std::string header;     ///< the length, the JSON and its padding
  /// In the order of the source's files.
  std::vector<Conversion> conversions;
};

/// Cuts the tensors, in the order of the model, into shards of at most `shard_bytes_max` bytes of data; a larger tensor gets a shard of
/// its own. A spare head is left out, as are biases that must be zero. With int8 the head is a matrix in 8 bits of its own, made of
/// the embedding where the head is tied; with fp8 it stays bfloat16. Throws invalid_request for 8-bit tensors that should become another
/// type.
std::vector<OutputShard> lay_out_conversion(const Checkpoint& checkpoint, const std::vector<FalconTensor>& tensors, bool tied_head,
                                            DType dtype, uint64_t shard_bytes_max);

}  // namespace eyrie
