// A kernel of the kind that we write, small: paged rows, two stages of asynchronous copies, ldmatrix, mma, a masked end. Right for every
// seed; the mutants of emulation/mutants that name this file are not.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "card.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/ptx.h"

namespace eyrie::cuda {
namespace {

constexpr int kPageRows = 16, kStep = 16, kColumns = 32;

struct Stage {
  bf16 x[kPageRows][kStep];
  bf16 w[kColumns][kStep];
};

/// y [rows, n] = x [rows, k] w [n, k]^T. Row r of x lies in page page_table[r / 16]. A block of 64 threads takes 16 rows and 32 columns.
__global__ void __launch_bounds__(64)
    tile_product(const bf16* x_pages, const int* page_table, const bf16* w, float* y, int rows, int n, int k) {
  Stage* stages = shared_memory<Stage>();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int first_row = static_cast<int>(blockIdx.x) * kPageRows, first_column = static_cast<int>(blockIdx.y) * kColumns;
  const bf16* page = x_pages + static_cast<int64_t>(page_table[blockIdx.x]) * kPageRows * k;

  const auto fill = [&](Stage& stage, int step) {
    const int row = thread / 2, column = thread % 2 * 8;
    if (thread < 32) cp_async_16(&stage.x[row][column], page + row * k + step * kStep + column, first_row + row < rows);
    cp_async_16(&stage.w[row][column], w + (first_column + row) * k + step * kStep + column, first_column + row < n);
    cp_async_commit();
  };

  float d[2][4] = {};
  const int steps = k / kStep;
  fill(stages[0], 0);
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      fill(stages[(step + 1) % 2], step + 1);
    } else {
      cp_async_commit();
    }
    cp_async_wait<1>();
    __syncthreads();  // what the other threads have copied
    const Stage& stage = stages[step % 2];
    const int matrix = lane / 8, row = lane % 8;
    uint32_t a[4], b[4];
    ldmatrix_x4(a, &stage.x[row + matrix % 2 * 8][matrix / 2 * 8]);
    ldmatrix_x4(b, &stage.w[warp * 16 + row + matrix / 2 * 8][matrix % 2 * 8]);
    mma_m16n8k16_bf16(d[0], a, {b[0], b[1]});
    mma_m16n8k16_bf16(d[1], a, {b[2], b[3]});
    __syncthreads();  // before the stage is filled again
  }
  for (int tile = 0; tile < 2; ++tile) {
    for (int i = 0; i < 4; ++i) {
      const int row = first_row + lane / 4 + i / 2 * 8, column = first_column + warp * 16 + tile * 8 + lane % 4 * 2 + i % 2;
      if (row < rows && column < n) y[static_cast<int64_t>(row) * n + column] = d[tile][i];
    }
  }
}

struct Product {
  int rows, n, k;
};

class TileProduct : public testing::TestWithParam<Product> {};
INSTANTIATE_TEST_SUITE_P(Shapes, TileProduct,
                         testing::Values(Product{16, 32, 16}, Product{33, 32, 48}, Product{50, 40, 64}, Product{3, 8, 96}));

TEST_P(TileProduct, IsRightInEveryOrder) {
  const auto [rows, n, k] = GetParam();
  const int pages = (rows + kPageRows - 1) / kPageRows;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<int> page_table(pages);
  for (int page = 0; page < pages; ++page) page_table[page] = (page + 1) % pages;
  std::vector<bf16> x(rows * k), w(n * k), x_pages(pages * kPageRows * k, bf16{0xffff});
  for (bf16& v : x) v = to_bf16(normal(random));
  for (bf16& v : w) v = to_bf16(normal(random));
  for (int row = 0; row < rows; ++row) {
    const int place = page_table[row / kPageRows] * kPageRows + row % kPageRows;
    std::copy_n(&x[row * k], k, &x_pages[place * k]);
  }

  test::Card card;
  const DeviceBuffer on_x = card.put(x_pages), on_table = card.put(page_table), on_w = card.put(w);
  std::vector<float> first;
  for (uint64_t seed = emulation::seed(), i = 0; i < 5; ++i) {
    emulation::set_seed(seed * 100 + i);
    // One number more than needed: it must stay as it is.
    const DeviceBuffer y = card.device.alloc((rows * n + 1) * sizeof(float));
    EYRIE_LAUNCH(tile_product, dim3(pages, (n + kColumns - 1) / kColumns), 64, 2 * sizeof(Stage), card.stream, on_x.as<bf16>(),
                 on_table.as<int>(), on_w.as<bf16>(), y.as<float>(), rows, n, k);
    std::vector<float> got = card.get<float>(y);
    EXPECT_TRUE(std::isnan(got.back()));
    got.pop_back();
    if (i == 0) first = got;
    ASSERT_EQ(std::vector<uint32_t>(reinterpret_cast<uint32_t*>(got.data()), reinterpret_cast<uint32_t*>(got.data() + got.size())),
              std::vector<uint32_t>(reinterpret_cast<uint32_t*>(first.data()), reinterpret_cast<uint32_t*>(first.data() + first.size())))
        << "the same bytes in every order";
  }
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < n; ++column) {
      double sum = 0;
      for (int i = 0; i < k; ++i) sum += static_cast<double>(to_float(x[row * k + i])) * to_float(w[column * k + i]);
      ASSERT_NEAR(first[row * n + column], sum, 1e-4) << "row " << row << " column " << column;
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda
