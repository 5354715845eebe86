#include "ops/linear.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"

namespace eyrie {

namespace {

// Cache blocking, in bytes of one core's 2 MiB (or 1 MiB) second-level cache: the slab of packed x that all panels of a
// piece are multiplied by, and the partial sums that wait for the next range of k.
constexpr int64_t kSlabBytes = 512 << 10;
constexpr int64_t kSumsBytes = 512 << 10;
constexpr int64_t kRowsMax = 512;
constexpr int64_t kPanelsMax = 16;
constexpr int64_t kPackBytes = 32 << 10;  // of x that one thread packs at a time

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Plan {
  int64_t blocks;       // row blocks of x
  int64_t steps;        // k steps
  int64_t block_bytes;  // of packed x, all steps
  int64_t rows;         // rows taken together
  int64_t step_range;   // k steps taken together
  int64_t panels;       // panels of one piece of work
  int64_t sums_bytes;   // partial sums of one panel
  // offsets into the scratch
  int64_t scales, sums, total;
};

Plan make_plan(const ProductKernel& kernel, const PackedLinear& w, int64_t m, int threads) {
  Plan p{};
  p.blocks = ceil_div(m, kernel.row_block);
  p.steps = ceil_div(w.k(), kernel.k_step);
  p.block_bytes = p.steps * kernel.x_step_bytes;
  p.rows = std::min(p.blocks * kernel.row_block, kRowsMax);
  const int64_t slab_step = ceil_div(p.rows, kernel.row_block) * kernel.x_step_bytes;
  // Ranges of equal size: a short last one would only cost sums traffic.
  const int64_t ranges = ceil_div(p.steps * slab_step, kSlabBytes);
  p.step_range = ceil_div(p.steps, ranges);
  p.sums_bytes = p.rows * kernel.planes * kPanelColumns * 4;
  const int64_t fair = ceil_div(w.panel_count(), threads * 4);
  p.panels = std::clamp(std::min(fair, kSumsBytes / p.sums_bytes), int64_t{1}, kPanelsMax);
  p.scales = p.blocks * p.block_bytes;
  p.sums = ceil_div(p.scales + m * 8, 64) * 64;
  p.total = p.sums + threads * p.panels * p.sums_bytes;
  return p;
}

void check(const PackedLinear& w, const LinearCall& call) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::invalid_request, "linear: " + what); };
  if (call.m < 0) refuse("m is " + std::to_string(call.m) + "; it must be >= 0");
  if (call.y_stride < w.n()) refuse("y_stride is " + std::to_string(call.y_stride) + "; it must be >= n = " + std::to_string(w.n()));
  if (call.y_dtype != DType::float32 && call.y_dtype != DType::bfloat16) refuse("y must be float32 or bfloat16");
  if (call.accumulate && call.y_dtype != DType::float32) refuse("accumulate needs a float32 y");
}

}  // namespace

size_t linear_scratch_bytes(const Compute& compute, const PackedLinear& weights, int64_t m) {
  // The plan's own total is not monotonic in m: packed x grows, but the panels per piece shrink. Bound each part.
  const ProductKernel& kernel = compute.linear->product(weights.dtype());
  const Plan p = make_plan(kernel, weights, std::max<int64_t>(m, 1), compute.pool->size());
  return static_cast<size_t>(p.sums + compute.pool->size() * std::max(kSumsBytes, p.sums_bytes));
}

void linear(const Compute& compute, const PackedLinear& weights, const LinearCall& call, const HugeBuffer& scratch) {
  check(weights, call);
  if (call.m == 0) return;
  const LinearKernels& kernels = *compute.linear;
  const ProductKernel& kernel = kernels.product(weights.dtype());
  const Plan plan = make_plan(kernel, weights, call.m, compute.pool->size());
  if (static_cast<int64_t>(scratch.size()) < plan.total)
    throw Error(ErrorCode::invalid_request, "linear: scratch holds " + std::to_string(scratch.size()) + " bytes; " +
                                                std::to_string(plan.total) + " are needed for m = " + std::to_string(call.m));
  char* packed = scratch.as<char>();
  float* row_scales = reinterpret_cast<float*>(packed + plan.scales);
  float* inverse_scales = row_scales + call.m;
  const bool quantised = weights.dtype() == DType::int8;
  const int64_t k = weights.k();
  const char* x = static_cast<const char*>(call.x);
  const int64_t x_row_bytes = k * static_cast<int64_t>(dtype_bytes(activation_dtype(weights.dtype())));

  if (quantised) {
    compute.pool->parallel_for(call.m, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; r++) {
        const float largest = kernels.max_abs(reinterpret_cast<const bf16*>(x + r * x_row_bytes), k);
        // A row so small that its scale would overflow counts as zero; NaN and infinity reach y through the scale.
        row_scales[r] = largest * (1.0f / 32767.0f);
        inverse_scales[r] = largest > 1e-30f && largest < 3e38f ? 32767.0f / largest : 0.0f;
      }
    });
  }

  const int64_t pack_steps = std::max<int64_t>(1, kPackBytes / kernel.x_step_bytes);
  const int64_t pack_pieces = ceil_div(plan.steps, pack_steps);
  compute.pool->parallel_for(plan.blocks * pack_pieces, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t piece = begin; piece < end; piece++) {
      const int64_t block = piece / pack_pieces, first = piece % pack_pieces * pack_steps, row = block * kernel.row_block;
      kernel.pack_x(x + row * x_row_bytes, k, std::min(kernel.row_block, call.m - row), first,
                    std::min(pack_steps, plan.steps - first), inverse_scales + row,
                    packed + block * plan.block_bytes + first * kernel.x_step_bytes);
    }
  });

  compute.pool->parallel_for(weights.panel_count(), plan.panels, [&](int64_t begin, int64_t end, int thread) {
    char* sums = packed + plan.sums + thread * plan.panels * plan.sums_bytes;
    for (int64_t row = 0; row < call.m; row += plan.rows) {
      const int64_t rows = std::min(plan.rows, call.m - row);
      const char* x_rows = packed + row / kernel.row_block * plan.block_bytes;
      for (int64_t step = 0; step < plan.steps; step += plan.step_range) {
        const int64_t steps = std::min(plan.step_range, plan.steps - step);
        for (int64_t panel = begin; panel < end; panel++) {
          char* panel_sums = sums + (panel - begin) * plan.sums_bytes;
          const char* data = static_cast<const char*>(weights.panels()) + panel * weights.panel_bytes();
          kernel.multiply(x_rows + step * kernel.x_step_bytes, plan.block_bytes, rows,
                          data + step * kernel.panel_step_bytes, steps, panel_sums, step == 0);
          if (step + steps < plan.steps) continue;
          const int64_t column = panel * kPanelColumns;
          if (quantised)
            kernels.dequantise(panel_sums, rows, row_scales + row, weights.scales() + column, weights.row_sums() + column);
          const int64_t at = row * call.y_stride + column;
          kernels.finish(reinterpret_cast<const float*>(panel_sums), rows,
                         {static_cast<char*>(call.y) + at * static_cast<int64_t>(dtype_bytes(call.y_dtype)), call.y_stride,
                          call.y_dtype, call.bias == nullptr ? nullptr : call.bias + column, call.activation,
                          call.accumulate, std::min(kPanelColumns, weights.n() - column)});
        }
      }
    }
  });
}

}  // namespace eyrie
