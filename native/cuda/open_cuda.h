#pragma once
// The border between the addon and libeyrie_cuda.so, which is opened at run time: a machine without CUDA runs the same addon.
//
// Both sides are built from one tree by one C++ compiler, so C++ types cross. kCudaBorder says which ones: it is compared before
// anything else is called, and raised with any change of a type named here (Backend, WeightSink, FalconConfig and what they hold).
// The functions are extern "C" and let no exception out: what went wrong is in the CudaStatus. The virtual functions of Backend and of
// WeightSink throw Error, whose type has default visibility for that. The library needs no symbol of the addon and is never unloaded.

#include <cstdint>
#include <span>

#include "engine/backend.h"
#include "error.h"
#include "model/falcon_config.h"
#include "model/weight_sink.h"
#include "numbers/dtype.h"

namespace eyrie {

inline constexpr uint32_t kCudaBorder = 3;

/// How a call ended.
struct CudaStatus {
  bool failed = false;
  ErrorCode code = ErrorCode::internal_error;
  char message[1024] = {};  ///< cut to fit, ends with 0
};

/// One card that this process may use, in the order of CUDA's numbers.
struct CudaCard {
  char name[256] = {};
  uint32_t major = 0;  ///< compute capability
  uint32_t minor = 0;
  uint32_t multiprocessors = 0;
  uint64_t memory_bytes = 0;
  uint64_t free_bytes = 0;
};

struct CudaOpenOptions {
  FalconConfig config;
  DType dtype = DType::bfloat16;  ///< of the layers' weights: bfloat16, fp8 or int8; embedding and head are bfloat16
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;  ///< positions of the longest sequence
  uint32_t rows_max = 0;     ///< rows of the largest pass
  bool keep_dense = false;   ///< with fp8: these matrices of the layers stay bfloat16
  bool keep_down = false;
  uint32_t kv_pages = 0;  ///< 0: as many as the free memory holds, at most what `slots` of `slot_tokens` can use
  uint32_t first_card = 0;
  uint32_t cards = 1;                        ///< that share one model (tensor parallel): [first_card, first_card + cards)
  std::span<const uint32_t> stop_token_ids;  ///< valid during the call; what min_tokens masks
};

/// Fills the weights; called once by eyrie_open_cuda(), on its thread, when all memory of the backend is held. Throws what
/// load_falcon() throws.
class [[gnu::visibility("default")]] WeightLoad {
 public:
  virtual ~WeightLoad() = default;
  virtual void load(WeightSink& sink) = 0;
};

/// Types of the functions below, for dlsym().
using CudaBorder = uint32_t();
using CudaCards = uint32_t(CudaCard* cards, uint32_t max, CudaStatus* status);
using OpenCuda = Backend*(const CudaOpenOptions* options, WeightLoad* weights, CudaStatus* status);

extern "C" {

/// kCudaBorder of the library.
[[gnu::visibility("default")]] uint32_t eyrie_cuda_border();

/// Describes up to `max` cards and returns how many there are. unsupported_device without a driver, and with one that is too old
/// for this CUDA; no card at all is 0 and no failure.
[[gnu::visibility("default")]] uint32_t eyrie_cuda_cards(CudaCard* cards, uint32_t max, CudaStatus* status);

/// Opens a model; the caller deletes it. Null on failure. unsupported_device: no driver, no such card, a card or a form of model
/// that the kernels do not support. out_of_memory: weights, buffers and the pages of one longest sequence do not fit. Both are found before
/// `weights->load()` is called, so that the caller may take another device instead.
[[gnu::visibility("default")]] Backend* eyrie_open_cuda(const CudaOpenOptions* options, WeightLoad* weights, CudaStatus* status);

}  // extern "C"

}  // namespace eyrie
