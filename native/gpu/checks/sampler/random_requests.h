#pragma once
// Random logits, parameters and grammars: all that a request may ask of the sampler, and logits at their worst.

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gpu/checks/sampler/sampler_run.h"

namespace eyrie::gpu::draws {

inline constexpr float kInf = std::numeric_limits<float>::infinity();

/// Everything that is random in a comparison.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(engine_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(engine_); }
  float normal(float scale) { return std::normal_distribution<float>(0, scale)(engine_); }
  uint64_t bits() { return engine_(); }

  std::vector<float> logits(int vocab) {
    std::vector<float> z(static_cast<size_t>(vocab));
    const float scales[] = {0.0f, 1e-6f, 0.3f, 2.0f, 6.0f, 60.0f, 1e30f};
    const float scale = scales[below(7)], shift = chance(0.3) ? normal(30.0f) : 0.0f;
    for (float& v : z) v = normal(scale) + shift;
    if (chance(0.4)) {  // ties
      const float grid = chance(0.5) ? 4.0f : 0.25f;
      for (float& v : z) v = std::round(v / grid) * grid;  // gives zeros of both signs, too
    }
    if (chance(0.3)) z[static_cast<size_t>(below(vocab))] += 20.0f;
    if (chance(0.3)) {
      for (float& v : z) v = chance(0.5) ? -kInf : v;
    }
    if (chance(0.04)) z[static_cast<size_t>(below(vocab))] = std::bit_cast<float>(chance(0.5) ? 0x7fc00000u : 0xffc00001u);
    if (chance(0.04)) z[static_cast<size_t>(below(vocab))] = kInf;
    if (chance(0.02)) std::fill(z.begin(), z.end(), -kInf);
    return z;
  }

  SamplingParams params(int vocab, const std::vector<int32_t>& stop_ids) {
    SamplingParams p;
    const float temperatures[] = {0.0f, 1e-5f, 0.1f, 0.7f, 1.0f, 1.0f, 3.0f, 1e6f};
    p.temperature = temperatures[below(8)];
    const int ks[] = {1, 2, 20, 50, 1000, 3000, vocab - 1, vocab, vocab + 1};
    if (chance(0.4)) p.top_k = std::max(ks[below(9)], 0);
    const float ps[] = {1e-30f, 1e-44f, 0.1f, 0.5f, 0.9f, 0.99f, 0.9999999f};
    if (chance(0.5)) p.top_p = ps[below(7)];
    const float mins[] = {1e-30f, 1e-13f, 1e-3f, 0.05f, 0.5f, 1.0f};
    if (chance(0.3)) p.min_p = mins[below(6)];
    if (chance(0.3)) p.repetition_penalty = chance(0.5) ? 1.3f : 0.7f;
    if (chance(0.3)) p.frequency_penalty = normal(1.0f);
    if (chance(0.3)) p.presence_penalty = normal(1.0f);
    if (chance(0.4)) p.min_tokens = below(4);
    p.stop_ids = stop_ids;
    for (int i = chance(0.4) ? below(kBiasesMax + 1) : 0; i > 0; --i) {  // the same id more than once, too
      p.logit_bias.push_back({below(std::min(vocab, 12)), chance(0.2) ? -1e6f : normal(5.0f)});
    }
    p.seed = bits();
    p.request = bits();
    return p;
  }

  std::vector<uint32_t> mask(int vocab) {
    std::vector<uint32_t> words((static_cast<size_t>(vocab) + 31) / 32);
    const double share = chance(0.5) ? 0.02 : 0.7;
    for (uint32_t& word : words) {
      for (int bit = 0; bit < 32; ++bit) word |= static_cast<uint32_t>(chance(share)) << bit;
      if (chance(0.2)) word = ~0u;
    }
    return words;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace eyrie::gpu::draws
