#pragma once
// What ptx.h does in emulation; the layouts are explained there.

#include <cstdint>

#include "emulation/dialect.h"

namespace eyrie::emulation {

void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
/// `count` matrices (2 or 4) into `registers`.
void ldmatrix(uint32_t* registers, unsigned count, bool transposed, const void* row_address, Site site);

void start_copy_16(void* shared, const void* global, bool valid);
void commit_copies();
void wait_for_copies(unsigned newest);

}  // namespace eyrie::emulation
