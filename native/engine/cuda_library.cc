#include "engine/cuda_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "io/elf_file.h"

namespace eyrie {

namespace {

constexpr const char* kNextStep = "; build it with `npm run native:cuda`, or use the CPU with --device cpu";

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::unsupported_device, message + kNextStep); }

std::string last_problem() {
  const char* const message = dlerror();
  return message != nullptr ? message : "unknown problem";
}

template <class Function>
Function* find(void* library, const char* name, const std::string& path) {
  void* const address = dlsym(library, name);
  if (address == nullptr) refuse("the CUDA library " + path + " has no " + name);
  return reinterpret_cast<Function*>(address);
}

void check(const CudaStatus& status) {
  if (status.failed) throw Error(status.code, status.message);
}

}  // namespace

std::string default_cuda_library() {
  Dl_info info{};
  // Any address of ours will do.
  if (dladdr(reinterpret_cast<const void*>(&default_cuda_library), &info) == 0 || info.dli_fname == nullptr) return "libeyrie_cuda.so";
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(info.dli_fname, error);
  return (file.parent_path().parent_path() / "build-cuda" / "libeyrie_cuda.so").string();
}

CudaLibrary::CudaLibrary(const std::string& path) {
  const std::string file = path.empty() ? default_cuda_library() : path;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) refuse("the CUDA library " + file + " does not exist");
  if (const std::string problem = elf_problem(file); !problem.empty()) refuse("the CUDA library " + file + " cannot be loaded: " + problem);
  // CUDA does not survive being unloaded, so nothing is: the handle is not kept.
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) refuse("the CUDA library cannot be loaded: " + last_problem());
  const auto border = find<CudaBorder>(library, "eyrie_cuda_border", file)();
  if (border != kCudaBorder) {
    refuse("the CUDA library " + file + " has version " + std::to_string(border) + " where " + std::to_string(kCudaBorder) + " is needed");
  }
  cards_ = find<CudaCards>(library, "eyrie_cuda_cards", file);
  open_ = find<OpenCuda>(library, "eyrie_open_cuda", file);
}

std::vector<CudaCard> CudaLibrary::cards() const {
  constexpr uint32_t kCardsMax = 64;
  std::vector<CudaCard> cards(kCardsMax);
  CudaStatus status;
  const uint32_t count = cards_(cards.data(), kCardsMax, &status);
  check(status);
  cards.resize(std::min(count, kCardsMax));
  return cards;
}

std::unique_ptr<Backend> CudaLibrary::open(const CudaOpenOptions& options, WeightLoad& weights) const {
  CudaStatus status;
  std::unique_ptr<Backend> backend(open_(&options, &weights, &status));
  check(status);
  if (!backend) throw Error(ErrorCode::internal_error, "the CUDA library gave neither a model nor an error");
  return backend;
}

}  // namespace eyrie
