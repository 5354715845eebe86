// libeyrie_nccl.so: all that is used of NCCL. A gather and not a sum: a ring adds in an order that depends on the place in the buffer, and so
// on the number of rows. Compiled and linked; never run, since that needs several cards.

#include <cuda_runtime.h>
#include <nccl.h>

#include <atomic>
#include <cstring>
#include <string>

#include "cuda/ranks/gather_border.h"

namespace {

static_assert(sizeof(ncclUniqueId) == kEyrieGatherIdBytes);

struct Group {
  ncclComm_t comm = nullptr;
  std::atomic<bool> aborted{false};
};

const char* told(ncclResult_t result, const char* call) {
  if (result == ncclSuccess) return nullptr;
  thread_local std::string text;
  text = std::string(call) + ": " + ncclGetErrorString(result) + " (" + ncclGetLastError(nullptr) + ")";
  return text.c_str();
}

}  // namespace

extern "C" {

const char* eyrie_gather_id(void* id) {
  ncclUniqueId made;
  const ncclResult_t result = ncclGetUniqueId(&made);
  if (result == ncclSuccess) std::memcpy(id, &made, sizeof made);
  return told(result, "ncclGetUniqueId");
}

const char* eyrie_gather_open(int rank, int ranks, const void* id, void** group) {
  ncclUniqueId shared;
  std::memcpy(&shared, id, sizeof shared);
  auto* const made = new Group;
  const ncclResult_t result = ncclCommInitRank(&made->comm, ranks, shared, rank);
  if (result != ncclSuccess) {
    delete made;
    return told(result, "ncclCommInitRank");
  }
  *group = made;
  return nullptr;
}

const char* eyrie_gather(void* group, const void* from, void* to, size_t bytes, void* stream) {
  return told(ncclAllGather(from, to, bytes, ncclUint8, static_cast<Group*>(group)->comm, static_cast<cudaStream_t>(stream)),
              "ncclAllGather");
}

void eyrie_gather_abort(void* group) {
  auto* const of = static_cast<Group*>(group);
  if (!of->aborted.exchange(true)) ncclCommAbort(of->comm);
}

void eyrie_gather_close(void* group) {
  auto* const of = static_cast<Group*>(group);
  if (!of->aborted.exchange(true)) ncclCommDestroy(of->comm);
  delete of;
}

}  // extern "C"
