#pragma once
// What the emulation takes from outside: the seed of its order, how late streams run, and limits like those of the cards we write for.

#include <cstddef>
#include <cstdint>

namespace eyrie::emulation {

/// Shared memory that one block may ask for: what an H100 grants (227 KiB).
inline constexpr size_t kMaxSharedBytes = size_t{227} << 10;
inline constexpr unsigned kMaxThreadsPerBlock = 1024;
/// Memory of the emulated card unless set_device_bytes() says otherwise.
inline constexpr size_t kDeviceBytes = size_t{4} << 30;

/// Blocks, and threads between two barriers, run in an order that this seed and the number of the launch decide. The first value is
/// that of EYRIE_EMULATION_SEED, or 1. Counts launches from 0 again.
void set_seed(uint64_t seed);
uint64_t seed();

/// A value for the next launch: different for each, the same in each run of a program.
uint64_t next_launch_seed();

/// False: work runs when it is given to a stream. True: only when somebody waits for it, which a card may do, too; host memory that is
/// used too early or given up too soon then shows. At first true with EYRIE_EMULATION_STREAMS=late.
void set_late_streams(bool late);
bool late_streams();

void set_device_bytes(size_t bytes);
size_t device_bytes();

/// Emulated cards that a process sees; they share the memory. At first EYRIE_EMULATION_CARDS, or 1.
void set_cards(int cards);
int cards();

/// A small generator (splitmix64): quality enough for an order, and cheap.
class Order {
 public:
  explicit Order(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Below `limit`, which is not 0.
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(((next() >> 32) * limit) >> 32); }

 private:
  uint64_t state_;
};

}  // namespace eyrie::emulation
