#include "cpu/linear/linear.h"

#include <algorithm>
#include <atomic>
#include <string>

#include "cpu/linear/linear_kernels.h"
#include "cpu/packing/panel_layout.h"
#include "error.h"

namespace eyrie {

namespace {

// Of one core's second-level cache (1 or 2 MiB), in bytes: packed x of one range, and the partial sums of one piece.
constexpr int64_t kSlabBytes = 512 << 10;
constexpr int64_t kSumsBytes = 512 << 10;
constexpr int64_t kRowsMax = 512;  // taken together
constexpr int64_t kPanelsMax = 16;
constexpr int64_t kPackBytes = 32 << 10;  // of x that one thread packs at a time

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How one product is cut. Rows are taken in groups that share a pass over the weights; k in ranges; panels in pieces of
// work. Packed x lies in the order of use: [row group][range][row block][steps of the range].
struct Plan {
  const ProductKernel& kernel;
  int64_t m, steps, group_rows, range_steps, piece_panels;
  int64_t sums_bytes;            // partial sums of one panel
  int64_t sums_at, total_bytes;  // in the scratch

  Plan(const ProductKernel& kernel_of_type, const PackedLinear& w, int64_t rows, int threads) : kernel(kernel_of_type), m(rows) {
    steps = ceil_div(w.k(), kernel.k_step);
    group_rows = std::min(blocks(m) * kernel.row_block, kRowsMax);
    // A single row block reads each slice of weights once, so only x has to fit a cache. With several, the slice should
    // stay in L1 while they pass by.
    const int64_t range = blocks(group_rows) == 1 && kernel.streams ? kSlabBytes / kernel.x_step_bytes
                          : blocks(group_rows) == 2                 ? kernel.two_block_steps
                                                                    : kernel.range_steps;
    range_steps = ceil_div(steps, ceil_div(steps, range));
    sums_bytes = group_rows * kPanelColumns * 4;
    const int64_t fair_share = ceil_div(w.panel_count(), threads * 4);
    piece_panels = std::clamp(std::min(fair_share, kSumsBytes / sums_bytes), int64_t{1}, kPanelsMax);
    sums_at = ceil_div(blocks(m) * steps * kernel.x_step_bytes, 64) * 64;
    total_bytes = sums_at + threads * piece_panels * sums_bytes;
  }

  int64_t blocks(int64_t rows) const { return ceil_div(rows, kernel.row_block); }
  int64_t ranges() const { return ceil_div(steps, range_steps); }
  int64_t range_length(int64_t first_step) const { return std::min(range_steps, steps - first_step); }
  int64_t group_length(int64_t row) const { return std::min(group_rows, m - row); }

  // Packed x of the group that starts at `row`, from `step` (the start of a range) on: all its row blocks in turn.
  int64_t slab_at(int64_t row, int64_t step) const {
    return (row / kernel.row_block * steps + blocks(group_length(row)) * step) * kernel.x_step_bytes;
  }
};

void check(const PackedLinear& w, const LinearCall& call) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::invalid_request, "linear: " + what); };
  if (call.m < 0) refuse("m is " + std::to_string(call.m) + "; it must be >= 0");
  if (call.y_stride < w.n()) refuse("y_stride is " + std::to_string(call.y_stride) + "; it must be >= n = " + std::to_string(w.n()));
  if (call.y_dtype != DType::float32 && call.y_dtype != DType::bfloat16) refuse("y must be float32 or bfloat16");
  if (call.accumulate && call.y_dtype != DType::float32) refuse("accumulate needs a float32 y");
}

void pack_x(const Compute& compute, const Plan& plan, const char* x, int64_t k, int64_t x_row_bytes, char* packed) {
  const ProductKernel& kernel = plan.kernel;
  const int64_t cut = std::min(plan.range_steps, std::max<int64_t>(1, kPackBytes / kernel.x_step_bytes));
  const int64_t cuts = ceil_div(plan.range_steps, cut), pieces = plan.ranges() * cuts;
  compute.pool->parallel_for(plan.blocks(plan.m) * pieces, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces * kernel.row_block, group = row / plan.group_rows * plan.group_rows;
      const int64_t step = i % pieces / cuts * plan.range_steps, inside = i % cuts * cut;
      const int64_t length = plan.range_length(step);
      if (inside >= length) continue;
      const int64_t at = plan.slab_at(group, step) + ((row - group) / kernel.row_block * length + inside) * kernel.x_step_bytes;
      kernel.pack_x(x + row * x_row_bytes, k, std::min(kernel.row_block, plan.m - row), step + inside, std::min(cut, length - inside),
                    packed + at);
    }
  });
}

}  // namespace

size_t linear_scratch_bytes(const Compute& compute, const PackedLinear& weights, int64_t m) {
  const Plan plan(compute.linear->product(weights.dtype()), weights, std::max<int64_t>(m, 1), compute.pool->size());
  // With fewer rows a piece has more panels: bound the sums, so that scratch for m rows serves any smaller number.
  return static_cast<size_t>(plan.sums_at + compute.pool->size() * std::max(kSumsBytes, plan.sums_bytes));
}

void linear(const Compute& compute, const PackedLinear& weights, const LinearCall& call, const HugeBuffer& scratch) {
  check(weights, call);
  if (call.m == 0) return;
  const LinearKernels& kernels = *compute.linear;
  const ProductKernel& kernel = kernels.product(weights.dtype());
  const Plan plan(kernel, weights, call.m, compute.pool->size());
  if (static_cast<int64_t>(scratch.size()) < plan.total_bytes)
    throw Error(ErrorCode::invalid_request, "linear: scratch holds " + std::to_string(scratch.size()) + " bytes; " +
                                                std::to_string(plan.total_bytes) + " are needed for m = " + std::to_string(call.m));
  char* packed = scratch.as<char>();
  pack_x(compute, plan, static_cast<const char*>(call.x), weights.k(),
         weights.k() * static_cast<int64_t>(dtype_bytes(activation_dtype(weights.dtype()))), packed);

  const char* panels = static_cast<const char*>(weights.panels());
  const auto slice = [&](int64_t panel, int64_t step) { return panels + panel * weights.panel_bytes() + step * kernel.panel_step_bytes; };
  const auto finish = [&](const float* sums, int64_t row, int64_t rows, int64_t begin, int64_t end) {
    const int64_t column = begin * kPanelColumns, at = row * call.y_stride + column;
    (*kernels.finish)({.sums = sums,
                       .sums_bytes = plan.sums_bytes,
                       .rows = rows,
                       .columns = std::min(end * kPanelColumns, weights.n()) - column,
                       .y = static_cast<char*>(call.y) + at * static_cast<int64_t>(dtype_bytes(call.y_dtype)),
                       .y_stride = call.y_stride,
                       .y_dtype = call.y_dtype,
                       .scales = weights.scales() == nullptr ? nullptr : weights.scales() + column,
                       .bias = call.bias == nullptr ? nullptr : call.bias + column,
                       .activation = call.activation,
                       .accumulate = call.accumulate});
  };

  const auto multiply = [&](int64_t begin, int64_t end, float* sums) {
    for (int64_t row = 0; row < call.m; row += plan.group_rows) {
      const int64_t rows = plan.group_length(row);
      for (int64_t step = 0; step < plan.steps; step += plan.range_steps) {
        const int64_t steps = plan.range_length(step), slab_bytes = plan.blocks(rows) * steps * kernel.x_step_bytes;
        const char* slab = packed + plan.slab_at(row, step);
        // After the last range a piece goes on with its next row group, and so does x.
        const char* next = slice(begin, step + steps < plan.steps ? step + steps : 0);
        kernel.multiply({.x = slab,
                         .x_block_bytes = steps * kernel.x_step_bytes,
                         .rows = rows,
                         .steps = steps,
                         .panel = slice(begin, step),
                         .panel_bytes = weights.panel_bytes(),
                         .panels = end - begin,
                         .sums = sums,
                         .sums_bytes = plan.sums_bytes,
                         .first = step == 0,
                         .next_panel = next,
                         .next_x = slab + slab_bytes,
                         .next_x_bytes = slab_bytes});
      }
      finish(sums, row, rows, begin, end);
    }
  };
  std::atomic<int64_t> next_panel{0};
  compute.pool->run([&](int thread) {
    if (kernel.enter != nullptr) kernel.enter();
    float* sums = reinterpret_cast<float*>(packed + plan.sums_at + thread * plan.piece_panels * plan.sums_bytes);
    for (int64_t begin; (begin = next_panel.fetch_add(plan.piece_panels, std::memory_order_relaxed)) < weights.panel_count();)
      multiply(begin, std::min(begin + plan.piece_panels, weights.panel_count()), sums);
    if (kernel.leave != nullptr) kernel.leave();
  });
}

}  // namespace eyrie
