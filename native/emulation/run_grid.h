#pragma once
// Runs a kernel on the CPU: block after block, a fiber per thread that has to wait for others.

#include <cstddef>
#include <string>

#include "emulation/dialect.h"

namespace eyrie::emulation {

struct GridShape {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
};

/// Throws invalid_request for a shape that a card refuses.
void check_shape(const char* name, const GridShape& shape);

/// Calls `body(argument)` for each thread of the grid. Throws internal_error for
/// what would hang or be undefined there: a barrier that not all threads reach, a collective that lacks a lane of its mask.
/// `name` is for messages.
void run_grid(const char* name, const GridShape& shape, void (*body)(void*), void* argument);

/// The dynamic shared memory of the block that runs, of exactly the bytes asked for; 0xFF bytes when the block starts.
void* shared_bytes_of_block();

/// Throws unless the `bytes` at `address` lie in the block's shared memory at a multiple of `alignment`.
void check_shared(const void* address, size_t bytes, size_t alignment, const char* what);

/// Ends the launch: device code calls it for what a card would answer with an error, or not notice at all.
[[noreturn]] void fail(const std::string& what);

}  // namespace eyrie::emulation
