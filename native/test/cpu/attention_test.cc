// Attention of every level against sums in double, and its promise: a row's bytes depend on its own sequence alone.

#include "cpu/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "cpu/huge_buffer.h"
#include "cpu/vector/alibi.h"
#include "error.h"
#include "oracle.h"

namespace eyrie::test {
namespace {

struct Geometry {
  int64_t q_heads, kv_heads, head_dim;
};

// 40B-, 7B-, 11B- and rw-like groups, and one a human can redo on paper.
const Geometry kGeometries[] = {{4, 1, 6}, {16, 1, 64}, {71, 1, 64}, {32, 8, 128}, {4, 4, 32}, {16, 2, 64}, {3, 3, 80}};

/// One slot with its memory.
class Slot {
 public:
  Slot(const AttentionShape& shape, int64_t capacity)
      : keys_(kv_bytes(shape, capacity)), values_(kv_bytes(shape, capacity)), capacity_(capacity) {}
  KvSlot view() const { return {keys_.data(), values_.data(), capacity_}; }
  /// What a former occupant may have left.
  void poison() {
    std::memset(keys_.data(), 0xff, keys_.size());
    std::memset(values_.data(), 0xff, values_.size());
  }

 private:
  HugeBuffer keys_, values_;
  int64_t capacity_;
};

class Attention : public EveryIsa {
 protected:
  static AttentionShape shape_of(const Geometry& g, DType cache) {
    return {.q_heads = g.q_heads,
            .kv_heads = g.kv_heads,
            .head_dim = g.head_dim,
            .cache_dtype = cache,
            .scale = 1.0f / std::sqrt(static_cast<float>(g.head_dim))};
  }

  /// A sequence's rows, [q | k | v] side by side as the QKV product leaves them.
  static std::vector<float> rows_of(const Geometry& g, int64_t n, uint64_t seed) { return random_values(n * width_of(g), seed, 1.5f); }
  static int64_t width_of(const Geometry& g) { return (g.q_heads + 2 * g.kv_heads) * g.head_dim; }

  /// Appends rows and attends, in one call for `rows` rows starting at `position`.
  std::vector<float> run(const AttentionShape& s, const KvSlot& slot, const float* rows, int64_t count, int64_t position) {
    const Geometry g{s.q_heads, s.kv_heads, s.head_dim};
    const KvRows sequence{slot, 0, count, position};
    const float* k = rows + g.q_heads * g.head_dim;
    kv_append(compute, s, k, k + g.kv_heads * g.head_dim, width_of(g), &sequence, 1);
    std::vector<float> out(static_cast<size_t>(count * g.q_heads * g.head_dim));
    attention(compute, s, rows, width_of(g), &sequence, 1, out.data(), DType::float32);
    return out;
  }
};

float held(float v, DType cache) { return cache == DType::float32 ? v : to_float(to_bf16(v)); }

TEST_P(Attention, MatchesDouble) {
  for (const Geometry& g : kGeometries) {
    for (DType cache : {DType::float32, DType::bfloat16}) {
      // What q and probabilities are multiplied as.
      const DType operands = GetParam() == Isa::avx512vnni ? DType::float32 : cache;
      for (bool alibi : {false, true}) {
        for (int64_t n : {1, 2, 31, 33, 130}) {  // around the edges of blocks of 32 and 128 keys
          AttentionShape s = shape_of(g, cache);
          const std::vector<float> slopes = alibi_slopes(g.q_heads);
          if (alibi) s.alibi_slopes = slopes.data();
          const std::vector<float> rows = rows_of(g, n, 5);
          Slot slot(s, 160);
          const std::vector<float> out = run(s, slot.view(), rows.data(), n, 0);
          const int64_t width = width_of(g), d = g.head_dim;
          for (int64_t t = 0; t < n; t += n > 40 ? 43 : 1) {
            for (int64_t h = 0; h < g.q_heads; h += g.q_heads > 16 ? 7 : 1) {
              const int64_t kv = h / (g.q_heads / g.kv_heads);
              std::vector<double> score;
              double best = -1e300, total = 0;
              for (int64_t j = 0; j <= t; ++j) {
                double dot = 0;
                for (int64_t i = 0; i < d; ++i)
                  dot += static_cast<double>(held(rows[t * width + h * d + i], operands)) *
                         held(rows[j * width + (g.q_heads + kv) * d + i], cache);
                if (alibi) dot += alibi_bias(slopes[h], j);
                score.push_back(dot * s.scale);
                best = std::max(best, score.back());
              }
              for (double& x : score) total += x = std::exp(x - best);
              for (int64_t i = 0; i < d; ++i) {
                double want = 0, magnitude = 0;
                for (int64_t j = 0; j <= t; ++j) {
                  const double v = held(rows[j * width + (g.q_heads + g.kv_heads + kv) * d + i], cache);
                  want += score[j] / total * v;
                  magnitude += score[j] / total * std::fabs(v);
                }
                // A probability that is rounded to 8 bits is off by up to 2^-9 of it.
                const double tolerance = magnitude * (operands == DType::float32 ? 2e-5 : 4e-3) + 1e-6;
                ASSERT_NEAR(out[(t * g.q_heads + h) * d + i], want, tolerance)
                    << g.q_heads << "/" << g.kv_heads << "/" << d << " " << dtype_name(cache) << (alibi ? " alibi" : "") << " n=" << n
                    << " token " << t << " head " << h;
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(Attention, ChunksAndStepsGiveTheBytesOfOnePrefill) {
  for (const Geometry& g : {Geometry{4, 1, 6}, {9, 1, 64}, {16, 1, 64}, {6, 2, 128}}) {
    if (GetParam() == Isa::scalar && g.q_heads != 4) continue;  // slow, and no different there
    for (DType cache : {DType::float32, DType::bfloat16}) {
      const AttentionShape s = shape_of(g, cache);
      const int64_t n = 150, width = width_of(g);
      const std::vector<float> rows = rows_of(g, n, 6);
      Slot whole(s, 160);
      const std::vector<float> want = run(s, whole.view(), rows.data(), n, 0);
      for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{150}, {1, 149}, {32, 32, 86}, {127, 1, 1, 1, 20}, {17, 100, 33}}) {
        Slot slot(s, 192);  // another capacity, and not a clean one
        slot.poison();
        std::vector<float> got;
        int64_t position = 0;
        for (int64_t count : cuts) {
          const std::vector<float> part = run(s, slot.view(), rows.data() + position * width, count, position);
          got.insert(got.end(), part.begin(), part.end());
          position += count;
        }
        ASSERT_EQ(0, std::memcmp(got.data(), want.data(), want.size() * sizeof(float)))
            << g.q_heads << "/" << g.kv_heads << "/" << g.head_dim << " " << dtype_name(cache);
      }
    }
  }
}

TEST_P(Attention, NeighboursAndThreadsDoNotShow) {
  const Geometry g = GetParam() == Isa::scalar ? Geometry{4, 2, 16} : Geometry{16, 2, 64};
  for (DType cache : {DType::float32, DType::bfloat16}) {
    const AttentionShape s = shape_of(g, cache);
    const int64_t width = width_of(g), lengths[] = {5, 40, 129, 1};
    std::vector<std::vector<float>> alone;
    std::vector<float> flat;
    std::vector<std::unique_ptr<Slot>> slots;
    std::vector<KvRows> sequences;
    int64_t total = 0;
    for (int i = 0; i < 4; ++i) {
      const std::vector<float> rows = rows_of(g, lengths[i], 10 + static_cast<uint64_t>(i));
      Slot slot(s, 160);
      alone.push_back(run(s, slot.view(), rows.data(), lengths[i], 0));
      flat.insert(flat.end(), rows.begin(), rows.end());
      slots.push_back(std::make_unique<Slot>(s, 160));
      sequences.push_back({slots.back()->view(), total, lengths[i], 0});
      total += lengths[i];
    }
    std::reverse(sequences.begin(), sequences.end());
    for (int threads : {1, 2, 3}) {
      ThreadPool other_pool(threads, false);
      const Compute other = make_compute(other_pool, GetParam());
      const float* k = flat.data() + g.q_heads * g.head_dim;
      kv_append(other, s, k, k + g.kv_heads * g.head_dim, width, sequences.data(), 4);
      std::vector<float> out(static_cast<size_t>(total * g.q_heads * g.head_dim));
      attention(other, s, flat.data(), width, sequences.data(), 4, out.data(), DType::float32);
      for (const KvRows& q : sequences) {
        const size_t i = q.rows == 5 ? 0 : q.rows == 40 ? 1 : q.rows == 129 ? 2 : 3;
        ASSERT_EQ(0, std::memcmp(out.data() + q.first_row * g.q_heads * g.head_dim, alone[i].data(), alone[i].size() * sizeof(float)));
      }
    }
  }
}

TEST_P(Attention, RoundsTheSameOutputToBfloat16) {
  const Geometry g{4, 1, 6};
  const AttentionShape s = shape_of(g, DType::bfloat16);
  const std::vector<float> rows = rows_of(g, 3, 9);
  Slot slot(s, 32);
  const std::vector<float> wide = run(s, slot.view(), rows.data(), 3, 0);
  std::vector<bf16> narrow(wide.size());
  const KvRows sequence{slot.view(), 0, 3, 0};
  attention(compute, s, rows.data(), width_of(g), &sequence, 1, narrow.data(), DType::bfloat16);
  for (size_t i = 0; i < wide.size(); ++i) EXPECT_EQ(narrow[i].bits, to_bf16(wide[i]).bits);
}

TEST_P(Attention, NanStaysInItsRow) {
  const Geometry g{16, 1, 64};
  const AttentionShape s = shape_of(g, DType::bfloat16);
  std::vector<float> rows = rows_of(g, 4, 9);
  Slot clean(s, 32), dirty(s, 32);
  const std::vector<float> want = run(s, clean.view(), rows.data(), 4, 0);
  rows[2 * width_of(g) + 3 * 64] = NAN;  // query of token 2, head 3
  const std::vector<float> got = run(s, dirty.view(), rows.data(), 4, 0);
  for (int64_t i = 0; i < 4 * 16 * 64; ++i) {
    if (i / 64 == 2 * 16 + 3)
      EXPECT_TRUE(std::isnan(got[i]));
    else
      EXPECT_EQ(got[i], want[i]);
  }
}

TEST_P(Attention, CopiedPrefixContinuesLikeTheOriginal) {
  for (DType cache : {DType::float32, DType::bfloat16}) {
    const Geometry g{4, 2, 40};
    const AttentionShape s = shape_of(g, cache);
    const std::vector<float> rows = rows_of(g, 60, 3);
    for (int64_t prefix : {1, 31, 32, 33, 50}) {
      Slot original(s, 64), copy(s, 96);
      copy.poison();
      const std::vector<float> want = run(s, original.view(), rows.data(), 60, 0);
      kv_copy_prefix(s, original.view(), copy.view(), prefix);
      const std::vector<float> got = run(s, copy.view(), rows.data() + prefix * width_of(g), 60 - prefix, prefix);
      ASSERT_EQ(0, std::memcmp(got.data(), want.data() + prefix * g.q_heads * g.head_dim, got.size() * sizeof(float))) << prefix;
    }
  }
}

TEST_P(Attention, CacheHoldsWhatWasAppended) {
  for (DType cache : {DType::float32, DType::bfloat16}) {
    const Geometry g{6, 3, 20};
    const AttentionShape s = shape_of(g, cache);
    const std::vector<float> rows = rows_of(g, 40, 3);
    Slot slot(s, 64);
    run(s, slot.view(), rows.data(), 40, 0);
    std::vector<float> k(60), v(60);
    for (int64_t p = 0; p < 40; ++p) {
      kv_read(s, slot.view(), p, k.data(), v.data());
      for (int64_t i = 0; i < 60; ++i) {
        ASSERT_EQ(k[i], held(rows[p * width_of(g) + 6 * 20 + i], cache));
        ASSERT_EQ(v[i], held(rows[p * width_of(g) + 9 * 20 + i], cache));
      }
    }
  }
}

TEST_P(Attention, RefusesWhatDoesNotFit) {
  const AttentionShape s = shape_of({4, 2, 8}, DType::float32);
  Slot slot(s, 32);
  const std::vector<float> rows(40 * 64);
  std::vector<float> out(40 * 64);
  const KvRows past_the_end{slot.view(), 0, 2, 31};
  EXPECT_THROW(kv_append(compute, s, rows.data(), rows.data(), 64, &past_the_end, 1), Error);
  EXPECT_THROW(attention(compute, s, rows.data(), 64, &past_the_end, 1, out.data(), DType::float32), Error);
  AttentionShape uneven = s;
  uneven.q_heads = 5;
  const KvRows fits{slot.view(), 0, 1, 0};
  EXPECT_THROW(attention(compute, uneven, rows.data(), 64, &fits, 1, out.data(), DType::float32), Error);
}

}  // namespace
EYRIE_EVERY_ISA(Attention);
}  // namespace eyrie::test
