#include "emulation/settings.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

namespace eyrie::emulation {

namespace {

const char* variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

struct State {
  std::atomic<uint64_t> seed{*variable("EYRIE_EMULATION_SEED") == '\0' ? 1 : std::strtoull(variable("EYRIE_EMULATION_SEED"), nullptr, 10)};
  std::atomic<uint64_t> launches{0};
  std::atomic<bool> late{std::strcmp(variable("EYRIE_EMULATION_STREAMS"), "late") == 0};
  std::atomic<size_t> device_bytes{kDeviceBytes};
  std::atomic<int> cards{std::max(1, std::atoi(variable("EYRIE_EMULATION_CARDS")))};
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

void set_late_streams(bool late) { state().late = late; }
bool late_streams() { return state().late; }

void set_device_bytes(size_t bytes) { state().device_bytes = bytes; }
size_t device_bytes() { return state().device_bytes; }

void set_cards(int cards) { state().cards = cards; }
int cards() { return state().cards; }

}  // namespace eyrie::emulation
