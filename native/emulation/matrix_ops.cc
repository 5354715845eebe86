#include "emulation/matrix_ops.h"

#include <bit>
#include <cstring>

#include "emulation/block_run.h"

namespace eyrie::emulation {

namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;

struct Fragments {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

struct MatrixLoad {
  uint32_t* registers;
  const void* row;
};

float low(uint32_t two) { return std::bit_cast<float>(two << 16); }
float high(uint32_t two) { return std::bit_cast<float>(two & 0xffff0000u); }

/// The lanes' variables, which lie on their stacks: they wait until the last one has come.
template <class T>
T& of_lane(Warp& warp, int lane) {
  return *reinterpret_cast<T*>(warp.value[lane]);
}

void multiply(Warp& warp) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Fragments& from = of_lane<Fragments>(warp, lane);
    const int g = lane / 4, t = lane % 4 * 2;
    for (int r = 0; r < 4; ++r) {
      float* to = &a[g + (r & 1) * 8][t + (r >> 1) * 8];
      to[0] = low(from.a[r]);
      to[1] = high(from.a[r]);
    }
    for (int r = 0; r < 2; ++r) {
      b[t + r * 8][g] = low(from.b[r]);
      b[t + r * 8 + 1][g] = high(from.b[r]);
    }
    for (int r = 0; r < 4; ++r) d[g + (r >> 1) * 8][t + (r & 1)] = from.d[r];
  }
  // A product of two bf16 has at most 16 bits, so that it is exact in float unless it falls below 2^-126.
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < 16; ++k) {
      for (int n = 0; n < 8; ++n) d[m][n] += a[m][k] * b[k][n];
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4 * 2;
    for (int r = 0; r < 4; ++r) of_lane<Fragments>(warp, lane).d[r] = d[g + (r >> 1) * 8][t + (r & 1)];
  }
}

void load(Warp& warp, unsigned count, bool transposed) {
  for (unsigned i = 0; i < count; ++i) {
    uint16_t rows[8][8];
    for (int r = 0; r < 8; ++r) std::memcpy(rows[r], of_lane<MatrixLoad>(warp, static_cast<int>(i) * 8 + r).row, sizeof rows[r]);
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4 * 2;
      const uint32_t first = transposed ? rows[t][g] : rows[g][t], second = transposed ? rows[t + 1][g] : rows[g][t + 1];
      of_lane<MatrixLoad>(warp, lane).registers[i] = first | second << 16;
    }
  }
}

}  // namespace

void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  BlockRun& run = BlockRun::current();
  const Fragments fragments{d, a, b};
  run.warp().value[run.lane()] = reinterpret_cast<uint64_t>(&fragments);
  run.collective(Collective::mma, kAllLanes, site, multiply);
}

void ldmatrix(uint32_t* registers, unsigned count, bool transposed, const void* row_address, Site site) {
  BlockRun& run = BlockRun::current();
  if (run.lane() < count * 8) check_shared(row_address, 16, 16, "ldmatrix");
  const MatrixLoad matrix_load{registers, row_address};
  run.warp().value[run.lane()] = reinterpret_cast<uint64_t>(&matrix_load);
  run.collective(Collective::ldmatrix, kAllLanes, site, [=](Warp& warp) { load(warp, count, transposed); });
}

void start_copy_16(void* shared, const void* global, bool valid) {
  check_shared(shared, 16, 16, "cp.async");
  if (valid && reinterpret_cast<uintptr_t>(global) % 16 != 0) fail("cp.async: the address in global memory is no multiple of 16");
  BlockRun::current().copies().start(shared, global, valid);
}

void commit_copies() { BlockRun::current().copies().commit(); }

void wait_for_copies(unsigned newest) { BlockRun::current().copies().wait(newest); }

}  // namespace eyrie::emulation
