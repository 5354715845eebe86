#include <string>

#include "gpu/checks/checks.h"
#include "gpu/checks/sampler/compare_draws.h"
#include "gpu/checks/transfer.h"

namespace eyrie::gpu {

/// The ids, errors and log-probabilities of the CPU's sampler for random parameters, grammars and logits, and the same states of slots.
void check_sampler(const CheckContext& context, Reporter& reporter) {
  struct Round {
    int vocab, slots, passes, seeds;
  };
  // Many passes over few ids, so that penalties meet tokens that were drawn before.
  std::vector<Round> rounds{{33, 8, 12, 3}, {1000, 8, 2, 1}};
  if (context.size == CheckSize::brief) rounds = {{33, 16, 16, 3}, {1000, 8, 4, 2}, {65024, 16, 2, 1}};
  if (context.size == CheckSize::full) {
    rounds = {{1, 8, 4, 2}, {33, 16, 16, 12}, {1000, 8, 4, 8}, {2049, 8, 4, 4}, {65024, 32, 4, 3}, {140000, 8, 2, 1}};
  }
  for (const Round& round : rounds) {
    for (int i = 0; i < round.seeds; ++i) {
      const uint64_t seed = context.seed * 1000 + static_cast<uint64_t>(i);
      const draws::Comparison comparison = draws::compare_draws(on_card(context), round.vocab, round.slots, round.passes, seed);
      reporter.expect("vocab=" + std::to_string(round.vocab) + " seed=" + std::to_string(seed), comparison.difference.empty(),
                      comparison.difference);
    }
  }
}

}  // namespace eyrie::gpu
