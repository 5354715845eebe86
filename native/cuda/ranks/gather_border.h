#pragma once
// The border to libeyrie_nccl.so, which alone is linked with NCCL, so that one card needs none. Plain C: opened at run time, no exception
// crosses. Functions return null or a text that says what went wrong, valid until the thread's next call.

#include <cstddef>

extern "C" {

/// Bytes that the ranks of one group share, made by one of them.
inline constexpr size_t kEyrieGatherIdBytes = 128;

[[gnu::visibility("default")]] const char* eyrie_gather_id(void* id);
/// Waits for all ranks, each on its thread with its card current.
[[gnu::visibility("default")]] const char* eyrie_gather_open(int rank, int ranks, const void* id, void** group);
/// to [ranks][bytes] = what each rank has at `from`, as work of the CUDA stream. Graphs may record it.
[[gnu::visibility("default")]] const char* eyrie_gather(void* group, const void* from, void* to, size_t bytes, void* stream);
/// Ends what is under way on this rank; the group is of no use afterwards but is still to be closed.
[[gnu::visibility("default")]] void eyrie_gather_abort(void* group);
[[gnu::visibility("default")]] void eyrie_gather_close(void* group);

}  // extern "C"
