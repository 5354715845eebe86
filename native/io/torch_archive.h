#pragma once
// Reader of a `.bin` file of torch.save: a zip of one pickle that describes the tensors and one stored entry per storage.

#include <vector>

#include "io/input_file.h"
#include "io/tensor_info.h"

namespace eyrie {

/// The table of tensors, checked as for safetensors. Tensors may share a storage. Throws model_invalid.
std::vector<TensorInfo> read_torch_archive(const InputFile& file);

}  // namespace eyrie
