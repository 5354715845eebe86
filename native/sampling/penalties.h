#pragma once
// What repetition, frequency and presence penalties do to one logit.

#include <cstdint>

#include "numbers/hd.h"

namespace eyrie {

/// Below this temperature the best token is taken.
inline constexpr float kGreedyBelow = 1e-5f;

struct Penalties {
  float repetition = 1.0f;
  float frequency = 0.0f;
  float presence = 0.0f;
};

/// `z` is the logit of a token that was seen in the prompt or in the output, `count` times in the output.
EYRIE_INLINE float penalise(float z, const Penalties& p, uint32_t count) {
  float v = z;
  if (p.repetition != 1.0f) v = v < 0 ? v * p.repetition : v / p.repetition;
  v = v - p.frequency * static_cast<float>(count);
  return count > 0 ? v - p.presence : v;
}

}  // namespace eyrie
