#pragma once
// Reader of a safetensors file's table of tensors. All checks happen here; a TensorInfo that comes out can be read blindly.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.h"
#include "io/tensor_info.h"

namespace eyrie {

/// The table in `header`, the JSON between the 8-byte length and the data. `data_bytes` = file size - 8 - header size.
/// Offsets in the result count from the start of the file. Throws model_invalid naming `file`, the tensor and the reason:
/// a duplicate or overlong name, an unknown dtype, a shape whose bytes differ from its range, ranges that overlap or leave gaps,
/// data missing at the end or left over.
std::vector<TensorInfo> parse_safetensors_header(std::string_view header, uint64_t data_bytes, const std::string& file);

/// Reads length and header of `file`, then parses them. Memory: the header, at most bounds::kSafetensorsHeaderBytesMax.
std::vector<TensorInfo> read_safetensors_header(const InputFile& file);

}  // namespace eyrie
