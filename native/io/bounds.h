#pragma once
// Every limit the checkpoint readers enforce. A file beyond one of them is refused with `model_invalid`, never half read.

#include <cstddef>
#include <cstdint>

namespace eyrie::bounds {

/// The safetensors format page allows 100 MB.
inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;
/// The 40B index has 484 names in 39 kB.
inline constexpr uint64_t kIndexBytesMax = 16u << 20;
inline constexpr size_t kTensorsMax = 65'536;
inline constexpr size_t kTensorNameBytesMax = 512;
inline constexpr size_t kDimensionsMax = 8;
inline constexpr size_t kShardsMax = 4'096;
inline constexpr size_t kFileNameBytesMax = 255;
inline constexpr size_t kJsonDepthMax = 32;

/// PyTorch archives. A 40B shard's pickle takes a few tens of kB.
inline constexpr uint64_t kZipDirectoryBytesMax = 16u << 20;
inline constexpr size_t kZipEntriesMax = 65'536;
inline constexpr uint64_t kPickleBytesMax = 16u << 20;
inline constexpr size_t kPickleOpcodesMax = 1'000'000;
inline constexpr size_t kPickleStackMax = 262'144;
inline constexpr size_t kPickleMemoMax = 262'144;
inline constexpr size_t kPickleStringBytesMax = 65'536;

}  // namespace eyrie::bounds
