// Fragments against the tables of the PTX ISA ("Matrix fragments for mma.m16n8k16", "ldmatrix"), written out here on their own.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "card.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/ptx.h"

namespace eyrie::cuda {
namespace {

constexpr int kM = 16, kN = 8, kK = 16;

/// Row and column of element i of a lane's fragment, as the ISA states them.
struct Place {
  int row, column;
};
Place place_in_a(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
  const int column = i < 4 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8;
  return {row, column};
}
Place place_in_b(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? thread * 2 + (i & 1) : thread * 2 + (i & 1) + 8, group};
}
Place place_in_d(int lane, int i) {
  const int group = lane >> 2, thread = lane % 4;
  return {i < 2 ? group : group + 8, thread * 2 + (i & 1)};
}

__global__ void multiply(const uint32_t* a, const uint32_t* b, float* d) {
  const unsigned lane = threadIdx.x;
  uint32_t af[4], bf[2];
  float df[4];
  for (int i = 0; i < 4; ++i) af[i] = a[lane * 4 + i];
  for (int i = 0; i < 2; ++i) bf[i] = b[lane * 2 + i];
  for (int i = 0; i < 4; ++i) df[i] = d[lane * 4 + i];
  mma_m16n8k16_bf16(df, af, bf);
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = df[i];
}

TEST(Mma, IsTheProductOfTheMatrices) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  test::Card card;
  for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
    emulation::set_seed(seed);
    bf16 a[kM][kK], b[kK][kN];
    float d[kM][kN];
    for (auto& row : a) {
      for (bf16& v : row) v = to_bf16(normal(random));
    }
    for (auto& row : b) {
      for (bf16& v : row) v = to_bf16(normal(random));
    }
    for (auto& row : d) {
      for (float& v : row) v = normal(random);
    }
    std::vector<uint32_t> af(32 * 4), bf(32 * 2);
    std::vector<float> df(32 * 4);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 8; ++i) {
        const Place p = place_in_a(lane, i);
        af[lane * 4 + i / 2] |= static_cast<uint32_t>(a[p.row][p.column].bits) << (i % 2 * 16);
      }
      for (int i = 0; i < 4; ++i) {
        const Place p = place_in_b(lane, i);
        bf[lane * 2 + i / 2] |= static_cast<uint32_t>(b[p.row][p.column].bits) << (i % 2 * 16);
      }
      for (int i = 0; i < 4; ++i) df[lane * 4 + i] = d[place_in_d(lane, i).row][place_in_d(lane, i).column];
    }
    const DeviceBuffer on_a = card.put(af), on_b = card.put(bf), on_d = card.put(df);
    EYRIE_LAUNCH(multiply, 1, 32, 0, card.stream, on_a.as<uint32_t>(), on_b.as<uint32_t>(), on_d.as<float>());
    const std::vector<float> got = card.get<float>(on_d);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const Place p = place_in_d(lane, i);
        double sum = d[p.row][p.column], size = std::fabs(sum);
        float in_order = d[p.row][p.column];
        for (int k = 0; k < kK; ++k) {
          const double product = static_cast<double>(to_float(a[p.row][k])) * to_float(b[k][p.column]);
          sum += product;
          size += std::fabs(product);
          in_order += static_cast<float>(product);
        }
        EXPECT_NEAR(got[lane * 4 + i], sum, size * 16 * 0x1p-24);
        EXPECT_EQ(got[lane * 4 + i], in_order) << "the order that ptx.h states";
      }
    }
  }
}

__global__ void load(int count, bool transposed, uint32_t* out) {
  uint16_t* shared = shared_memory<uint16_t>();
  const int lane = static_cast<int>(threadIdx.x);
  // Element (row, column) of matrix i is 100 i + 10 row + column; rows lie in reverse order, 32 bytes apart.
  for (int e = 0; e < 8; ++e) shared[(31 - lane) * 16 + e] = static_cast<uint16_t>(lane / 8 * 100 + lane % 8 * 10 + e);
  __syncwarp();
  const uint16_t* row = shared + (31 - lane) * 16;
  if (count == 2 && lane >= 16) row = nullptr;  // does not count
  uint32_t r4[4] = {}, r2[2] = {};
  if (count == 4 && !transposed) ldmatrix_x4(r4, row);
  if (count == 4 && transposed) ldmatrix_x4_trans(r4, row);
  if (count == 2 && !transposed) ldmatrix_x2(r2, row);
  if (count == 2 && transposed) ldmatrix_x2_trans(r2, row);
  for (int i = 0; i < count; ++i) out[lane * 4 + i] = count == 4 ? r4[i] : r2[i];
}

TEST(Ldmatrix, GivesEachLaneTheElementsOfTheIsa) {
  test::Card card;
  for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
    emulation::set_seed(seed);
    for (const int count : {2, 4}) {
      for (const bool transposed : {false, true}) {
        DeviceBuffer out = card.device.alloc(32 * 4 * sizeof(uint32_t));
        EYRIE_LAUNCH(load, 1, 32, 32 * 32, card.stream, count, transposed, out.as<uint32_t>());
        const std::vector<uint32_t> got = card.get<uint32_t>(out);
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = 0; i < count; ++i) {
            for (int half = 0; half < 2; ++half) {
              const int row = transposed ? lane % 4 * 2 + half : lane / 4, column = transposed ? lane / 4 : lane % 4 * 2 + half;
              EXPECT_EQ(got[lane * 4 + i] >> (half * 16) & 0xffff, static_cast<uint32_t>(i * 100 + row * 10 + column))
                  << "lane " << lane << " matrix " << i << " half " << half << (transposed ? " transposed" : "");
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda
