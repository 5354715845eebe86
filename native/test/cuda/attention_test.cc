// Attention against sums in double and against the CPU's.

#include "cpu/attention/attention.h"

#include "cpu/huge_buffer.h"
#include "gpu/checks/attention/in_double.h"
#include "paged_model.h"
#include "threads/thread_pool.h"

namespace eyrie::cuda::test {
namespace {

// 40B, 7B, 180B, 11B, and the small ones of the tests' models.
const Heads kAllHeads[] = {{32, 2, 64}, {71, 1, 64}, {58, 2, 64},  {8, 2, 128}, {4, 2, 64},
                           {3, 1, 64},  {2, 1, 128}, {20, 1, 128}, {2, 2, 64}};

TEST(Attention, MatchesDouble) {
  std::mt19937 random(3);
  for (const Heads& heads : kAllHeads) {
    for (const int length : {1, 2, 63, 64, 65, 255, 256, 257, 700}) {
      if (length > 260 && heads.query > 8) continue;
      PagedModel model(heads, 2, (length + kPageTokens - 1) / kPageTokens);
      const int sequence = static_cast<int>(random() % 1000);
      const std::vector<Row> rows = rows_of(sequence, 1, 0, length);
      std::vector<std::vector<float>> rotated;
      for (const Row& row : rows) rotated.push_back(model.rotated(row));
      model.append(rows);
      Layout layout;  // the last row alone, and up to eight rows that end with it
      layout.singles = {length - 1};
      const int tile = std::min(length, 1 + static_cast<int>(random() % kTileRows));
      const Output single = model.attend_rows(layout);
      layout.singles = {};
      layout.tiles = {{length - tile, tile}};
      const Output tiled = model.attend_rows(layout);
      for (int position = std::max(0, length - 2); position < length; ++position) {
        for (int head = 0; head < heads.query; ++head) {
          const Wanted wanted = in_double(model, rotated, position, head);
          for (int i = 0; i < heads.dim; ++i) {
            // A probability that is rounded to 8 bits is off by up to 2^-9 of it, and so is the result.
            const double tolerance = 5e-3 * wanted.magnitude[static_cast<size_t>(i)] + 1e-6;
            const auto at = static_cast<size_t>(head * heads.dim + i);
            const std::string where = std::to_string(heads.query) + "/" + std::to_string(heads.kv) + "/" + std::to_string(heads.dim) +
                                      " length " + std::to_string(length) + " position " + std::to_string(position) + " head " +
                                      std::to_string(head) + " dim " + std::to_string(i);
            for (const Output* out : {&single, &tiled}) {
              if (position < (out == &single ? length - 1 : length - tile)) continue;
              ASSERT_NEAR(to_float(out->row(static_cast<size_t>(position))[at]), wanted.value[static_cast<size_t>(i)], tolerance) << where;
            }
          }
        }
      }
    }
  }
}

TEST(Attention, MatchesTheCpu) {
  ThreadPool pool{2, false};
  const Compute compute = make_compute(pool, supported_isas().back());
  for (const Heads& heads : {Heads{16, 1, 64}, Heads{4, 2, 128}}) {
    const int length = 301;
    PagedModel model(heads, 1, 2);
    const std::vector<Row> rows = rows_of(5, 0, 0, length);
    const eyrie::AttentionShape shape{
        .q_heads = heads.query, .kv_heads = heads.kv, .head_dim = heads.dim, .cache_dtype = DType::bfloat16, .scale = model.shape.scale};
    const int64_t capacity = 320, width = model.width();
    HugeBuffer keys(kv_bytes(shape, capacity)), values(kv_bytes(shape, capacity));
    std::vector<float> qkv;
    for (const Row& row : rows) {
      const std::vector<float> one = model.rotated(row);
      qkv.insert(qkv.end(), one.begin(), one.end());
    }
    const KvRows sequence{{keys.data(), values.data(), capacity}, 0, length, 0};
    const float* k = qkv.data() + model.query_width();
    kv_append(compute, shape, k, k + heads.kv * heads.dim, width, &sequence, 1);
    std::vector<float> wanted(static_cast<size_t>(length * model.query_width()));
    attention(compute, shape, qkv.data(), width, &sequence, 1, wanted.data(), DType::float32);

    const Output out = model.run(rows, in_tiles(length, {8}));
    for (int r = 0; r < length; ++r) {
      for (int head = 0; head < heads.query; ++head) {
        double difference = 0, norm = 0;
        for (int i = 0; i < heads.dim; ++i) {
          const auto at = static_cast<size_t>(head * heads.dim + i);
          const double cpu = wanted[static_cast<size_t>(r) * static_cast<size_t>(model.query_width()) + at];
          difference += std::pow(to_float(out.row(static_cast<size_t>(r))[at]) - cpu, 2), norm += cpu * cpu;
        }
        ASSERT_LE(std::sqrt(difference / norm), 1e-2) << "row " << r << " head " << head;
      }
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda::test
