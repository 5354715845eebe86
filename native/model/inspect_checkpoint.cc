#include "model/inspect_checkpoint.h"

#include <algorithm>

#include "error.h"
#include "io/checkpoint.h"
#include "model/falcon_tensors.h"
#include "model/tensor_values.h"

namespace eyrie {

namespace {

constexpr uint64_t kCompareValues = 1u << 20;

uint64_t count_differences(const Checkpoint& checkpoint, const TensorInfo& a, const TensorInfo& b, const std::atomic<bool>& cancelled) {
  const uint64_t values = a.bytes / dtype_bytes(a.dtype);
  uint64_t differences = 0;
  for (uint64_t first = 0; first < values; first += kCompareValues) {
    if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::engine_closed, "closed while inspecting");
    const uint64_t count = std::min(kCompareValues, values - first);
    const std::vector<float> left = read_values(checkpoint, a, first, count);
    const std::vector<float> right = read_values(checkpoint, b, first, count);
    for (size_t i = 0; i < left.size(); ++i) differences += left[i] != right[i] ? 1 : 0;
  }
  return differences;
}

}  // namespace

CheckpointReport inspect_checkpoint(const std::string& directory, const FalconConfig& config, const std::atomic<bool>& cancelled) {
  check_falcon_config(config);
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const std::vector<FalconTensor> found = match_falcon_tensors(checkpoint, config);
  CheckpointReport report;
  for (const InputFile& file : checkpoint.files()) report.files.push_back({file.name(), file.size()});
  const auto add = [&report](const TensorInfo& tensor) {
    report.tensors.push_back({tensor.name, dtype_name(tensor.dtype), tensor.shape, tensor.bytes, static_cast<uint32_t>(tensor.file)});
  };
  const TensorInfo* embedding = nullptr;
  const TensorInfo* head = nullptr;
  for (const FalconTensor& item : found) {
    add(*item.tensor);
    if (item.scales != nullptr) add(*item.scales);
    if (item.role == TensorRole::embedding) embedding = item.tensor;
    if (item.role == TensorRole::head || item.role == TensorRole::spare_head) head = item.tensor;
  }
  // A head that is not used may have any shape and dtype.
  if (head != nullptr && is_weight_dtype(head->dtype) && head->shape == embedding->shape) {
    report.head_differences = count_differences(checkpoint, *embedding, *head, cancelled);
  }
  return report;
}

}  // namespace eyrie
