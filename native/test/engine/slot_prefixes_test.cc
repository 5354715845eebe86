#include "engine/slot_prefixes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace eyrie::test {
namespace {

using Tokens = std::vector<uint32_t>;

uint32_t equal_tokens(const Tokens& a, const Tokens& b, size_t limit) {
  size_t equal = 0;
  while (equal < std::min({a.size(), b.size(), limit}) && a[equal] == b[equal]) ++equal;
  return static_cast<uint32_t>(equal);
}

TEST(SlotPrefixes, FindWhatAComparisonWithAllSlotsFinds) {
  constexpr uint32_t kSlots = 12;
  constexpr uint32_t kChunk = 4;
  std::mt19937 random(21);
  const auto below = [&random](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  // Two tokens only, so that prompts share beginnings of every length.
  const auto prompt = [&] {
    Tokens ids(1 + below(30));
    for (uint32_t& id : ids) id = below(12) == 0 ? 1 : 0;
    return ids;
  };
  SlotPrefixes prefixes(kSlots, kChunk);
  std::vector<Tokens> held(kSlots);
  uint64_t found = 0;
  for (int round = 0; round < 20'000; ++round) {
    const uint32_t slot = below(kSlots);
    if (below(4) == 0) {
      const uint32_t kept = below(30);
      prefixes.cut(slot, kept);
      held[slot].resize(std::min<size_t>(held[slot].size(), kept / kChunk * kChunk));
    } else {
      held[slot] = prompt();
      prefixes.hold(slot, held[slot]);
    }
    const bool own = below(2) == 0;
    const uint32_t except = own ? below(kSlots) : UINT32_MAX;
    const Tokens wanted = own && !held[except].empty() ? held[except] : prompt();
    const size_t limit = wanted.size() - below(2);
    uint32_t most = 0;
    for (uint32_t other = 0; other < kSlots; ++other) {
      if (other != except) most = std::max(most, equal_tokens(held[other], wanted, limit) / kChunk * kChunk);
    }
    const SlotPrefixes::Shared shared = prefixes.longest(wanted, limit, except);
    ASSERT_EQ(shared.tokens, most) << "round " << round;
    if (most == 0) continue;
    ++found;
    for (uint32_t other = 0; other < kSlots; ++other) {
      if (other == except) continue;
      const bool listed = std::find(shared.slots.begin(), shared.slots.end(), other) != shared.slots.end();
      ASSERT_EQ(listed, equal_tokens(held[other], wanted, limit) >= most) << "round " << round;
    }
  }
  EXPECT_GT(found, 1000u);
}

/// Hash of one chunk of one token, as slot_prefixes.cc makes it.
uint64_t hash_of(uint32_t id) {
  const uint64_t hash = (0xcbf29ce484222325 ^ id) * 0x100000001b3;
  return hash ^ (hash >> 32);
}

TEST(SlotPrefixes, TellPromptsOfOneHashApart) {
  // Two first tokens whose hashes differ in the lower half alone; the second token makes up for that.
  std::mt19937 random(22);
  std::map<uint32_t, uint32_t> id_of;
  uint32_t a = 0;
  uint32_t b = 0;
  for (int tried = 0; a == b && tried < 1'000'000; ++tried) {
    b = static_cast<uint32_t>(random());
    a = id_of.emplace(static_cast<uint32_t>(hash_of(b) >> 32), b).first->second;
  }
  ASSERT_NE(a, b);
  const Tokens first{a, 5, 6};
  const Tokens second{b, 5 ^ static_cast<uint32_t>(hash_of(a) ^ hash_of(b)), 6};
  SlotPrefixes prefixes(2, 1);
  prefixes.hold(0, first);
  EXPECT_EQ(prefixes.longest(first, 3).tokens, 3u);
  EXPECT_EQ(prefixes.longest(second, 3).tokens, 0u);
  prefixes.hold(1, second);
  const SlotPrefixes::Shared shared = prefixes.longest(second, 3);
  EXPECT_EQ(shared.tokens, 1u);
  EXPECT_EQ(Tokens(shared.slots.begin(), shared.slots.end()), Tokens{1});
  EXPECT_EQ(prefixes.longest(first, 3).tokens, 3u);
}

}  // namespace
}  // namespace eyrie::test
