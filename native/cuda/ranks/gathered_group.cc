#include "cuda/ranks/gathered_group.h"

#include <dlfcn.h>

#include <string>
#include <type_traits>

#include "cuda/kernels/ranks.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr const char* kLibrary = "libeyrie_nccl.so";

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorCode::unsupported_device, "several cards need NCCL, which cannot be used: " + reason +
                                                 "; build it with `npm run native:cuda`, or use one card (a worker per card, --dtype fp8)");
}

void check(const char* problem) {
  if (problem != nullptr) throw Error(ErrorCode::internal_error, problem);
}

std::string library_path() {
  Dl_info self{};
  const std::string path = dladdr(reinterpret_cast<const void*>(&library_path), &self) != 0 ? self.dli_fname : "";
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? kLibrary : path.substr(0, slash + 1) + kLibrary;
}

GatherLibrary open_library() {
  void* const handle = dlopen(library_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) refuse(dlerror());
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) refuse(std::string(kLibrary) + " has no " + name);
  };
  GatherLibrary library;
  find(library.make_id, "eyrie_gather_id");
  find(library.open, "eyrie_gather_open");
  find(library.gather, "eyrie_gather");
  find(library.abort, "eyrie_gather_abort");
  find(library.close, "eyrie_gather_close");
  return library;
}

class GatheredGroup : public RankGroup {
 public:
  GatheredGroup(const GatherLibrary& library, int rank, int ranks, const void* id, const Device& device, int64_t count_max)
      : library_(library), ranks_(ranks), gathered_(device.alloc(static_cast<size_t>(ranks * count_max) * sizeof(bf16))) {
    check(library_.open(rank, ranks, id, &group_));
  }
  ~GatheredGroup() override { library_.close(group_); }

  bool captures() const override { return true; }
  void sum(Stream& stream, bf16* values, int64_t count) override {
    check(library_.gather(group_, values, gathered_.data(), static_cast<size_t>(count) * sizeof(bf16), stream.native()));
    RankSources sources;
    for (int rank = 0; rank < ranks_; ++rank) sources.of[rank] = gathered_.as<bf16>() + rank * count;
    sum_ranks(stream, sources, ranks_, count, values);
  }
  void abort() noexcept override { library_.abort(group_); }

 private:
  GatherLibrary library_;
  int ranks_;
  DeviceBuffer gathered_;
  void* group_ = nullptr;
};

}  // namespace

GatheredTeam::GatheredTeam(int ranks) : ranks_(ranks), library_(open_library()) {
  if (ranks > kRanksMax) refuse("cards is " + std::to_string(ranks) + ", at most " + std::to_string(kRanksMax) + " can share a model");
  check(library_.make_id(id_.data()));
}

std::unique_ptr<RankGroup> GatheredTeam::member(int rank, const Device& device, int64_t count_max) {
  return std::make_unique<GatheredGroup>(library_, rank, ranks_, id_.data(), device, count_max);
}

}  // namespace eyrie::cuda
