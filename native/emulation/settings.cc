#include "emulation/settings.h"

#include <atomic>
#include <cstdlib>

namespace eyrie::emulation {

namespace {

uint64_t seed_of_environment() {
  const char* text = std::getenv("EYRIE_EMULATION_SEED");
  return text == nullptr || *text == '\0' ? 1 : std::strtoull(text, nullptr, 10);
}

struct State {
  std::atomic<uint64_t> seed{seed_of_environment()};
  std::atomic<uint64_t> launches{0};
};

State& state() {
  static State state;
  return state;
}

}  // namespace

void set_seed(uint64_t seed) {
  state().seed = seed;
  state().launches = 0;
}

uint64_t seed() { return state().seed; }

uint64_t next_launch_seed() { return Order(state().seed * 0x100000001b3u + state().launches++).next(); }

}  // namespace eyrie::emulation
