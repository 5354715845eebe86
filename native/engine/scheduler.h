#pragma once
// Decides what each pass of the model computes. Pure bookkeeping: no model, no threads, no clock, so it can be tested and
// simulated alone.
//
// A slot is free, prefilling, decoding or ending. A waiting request enters a free slot (admission) the moment there is one and
// enough pages with it. A pass holds one row for every decoding slot and, beside them, up to `prefill_tokens` prompt rows of
// prefilling slots, urgent ones first, then oldest admission first; rows of both kinds share each read of the weights. When a
// slot's last prompt row was in a pass, the slot decodes from the next pass on: that pass already yields its first token. Once
// max_tokens tokens of a sequence are planned (with max_tokens 0: once its prompt is), its slot is ending: it gets no further rows.
// `end_sequence` frees a slot, in whatever phase, for the following pass. A caller that looks at tokens one pass late calls it one
// pass late: a sequence that ended by itself, on a stop token, had one more row by then, and its length ends cost no such row.
//
// A prompt is cut only at multiples of kChunkTokens, and a prefix is copied only up to such a multiple, so that the kernels see
// the same tiles whatever the neighbours are. Slots remember the prompt they hold even after their sequence ended: an admission
// that shares >= kPrefixTokens leading tokens with any slot copies those keys and values instead of computing them again, and one
// whose twin is still prefilling waits for it. Keys and values of a position depend on the tokens up to it alone, so a copy is
// bitwise what computing would give.
//
// Where keys and values live in pages (kv_pages.h), an admission reserves those of the whole sequence, prompt + max_tokens, so that
// nothing that runs can ever lack one. A free slot keeps its pages with the prompt it remembers until they are wanted: then they
// are taken from the slots that have been free longest, but from none whose prefix is about to be used. The next request that does
// not fit waits at the head: no patient request overtakes it, only urgent ones do, and the pages of every sequence that ends are
// its own first. So it waits no longer than the sequences in the slots take.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/kv_pages.h"
#include "engine/output_estimate.h"
#include "engine/slot_prefixes.h"
#include "engine/waiting_queue.h"

namespace eyrie {

inline constexpr uint32_t kChunkTokens = kPrefixTokens;

struct Admission {
  uint64_t id = 0;
  uint32_t slot = 0;
};

/// Keys and values of positions [0, tokens), to be copied before the pass runs, in the order of the list.
struct PrefixCopy {
  uint32_t from_slot = 0;
  uint32_t to_slot = 0;
  uint32_t tokens = 0;
};

/// Prompt rows [first_position, first_position + rows) of the sequence in `slot`.
struct PrefillChunk {
  uint32_t slot = 0;
  uint32_t first_position = 0;
  uint32_t rows = 0;
  /// The prompt ends with this chunk, so its last row yields a token.
  bool last = false;
};

struct PassPlan {
  /// Free slots whose pages are given back, in this order, before the admissions. An admission may enter one of them.
  std::vector<uint32_t> released;
  std::vector<Admission> admissions;
  std::vector<PrefixCopy> copies;
  std::vector<uint32_t> decode_slots;
  std::vector<PrefillChunk> prefill;
  uint32_t prefill_rows = 0;
  /// Rows of the static decode shape this pass stands for: the smallest rung that holds all occupied slots.
  uint32_t decode_shape_rows = 0;

  bool empty() const { return decode_slots.empty() && prefill.empty(); }
  /// Rows that yield a token.
  uint32_t token_rows() const;
};

/// Smallest batch of the decode ladder (1, 2, 4, 8, 16, 32, then steps of 32, and always `slots`) that holds `rows`.
uint32_t decode_rung(uint32_t rows, uint32_t slots);

class Scheduler {
 public:
  /// prefill_tokens below kChunkTokens still computes one whole chunk at a time.
  Scheduler(uint32_t slots, uint32_t prefill_tokens, KvBudget budget = {});

  /// `request.prompt_ids` must stay valid until the admission is reported or the request removed. Prompt and max_tokens must fit the
  /// pages there are (check_request).
  void add(const WaitingRequest& request);
  bool remove_waiting(uint64_t id) { return waiting_.remove(id); }
  /// Overwrites `plan`, whose vectors keep their capacity. Afterwards the plan counts as computed. The plan is empty only when nothing
  /// waits and nothing runs, or when all that runs is ending: then end_sequence() must come first.
  void next_pass(PassPlan& plan);
  /// The sequence in `slot` is over, but passes that are under way hold the slot: it gets no further rows, and is not free before
  /// end_sequence().
  void stop_sequence(uint32_t slot);
  /// The sequence in `slot` is over after `generated_tokens` tokens.
  void end_sequence(uint32_t slot, uint32_t generated_tokens);
  bool idle() const { return waiting_.size() == 0 && free_slots_.size() == slots_.size(); }
  size_t waiting() const { return waiting_.size(); }

 private:
  enum class Phase : uint8_t { free, prefilling, decoding, ending };
  static constexpr uint32_t kNoSlot = UINT32_MAX;

  struct Slot {
    Phase phase = Phase::free;
    bool urgent = false;
    /// Of the prompt that this slot holds, also after its sequence ended, the keys and values of [0, prefilled) are valid.
    uint32_t prefilled = 0;
    uint32_t max_tokens = 0;
    uint32_t planned_tokens = 0;
    /// Changes whenever the slot holds less of its prompt than it did or was about to, or another prompt.
    uint32_t version = 0;
    /// Slots whose twin this one is.
    uint32_t wanted_by = 0;
    /// The latest pass that considered prompt rows of this slot.
    uint64_t turn = 0;
    /// Waits until this slot has prefilled `shared_tokens`.
    uint32_t twin = kNoSlot;
    uint32_t twin_version = 0;
    uint32_t shared_tokens = 0;
  };

  struct Twin {
    uint32_t slot = kNoSlot;
    uint32_t tokens = 0;
  };

  void admit(PassPlan& plan);
  uint32_t choose_slot(const Twin& twin) const;
  bool make_room(uint32_t slot, uint64_t tokens, PassPlan& plan);
  void enter(uint32_t slot, const WaitingRequest& request, const Twin& twin);
  void begin_prefill(uint32_t slot);
  void fill(PassPlan& plan);
  void assume_computed(const PassPlan& plan);
  static void plan_token(Slot& slot);
  Twin best_twin(std::span<const uint32_t> prompt_ids, uint32_t except) const;
  void set_twin(uint32_t slot, const Twin& twin);
  bool resolve_twin(uint32_t slot, PassPlan& plan);
  void forget(uint32_t slot, uint32_t kept_tokens);

  uint32_t prefill_tokens_;
  KvPages pages_;
  WaitingQueue waiting_;
  OutputEstimate estimate_;
  std::vector<Slot> slots_;
  SlotPrefixes prefixes_;
  /// Longest free first, so that recently used prompts stay available as prefixes.
  std::deque<uint32_t> free_slots_;
  /// Prefilling slots: urgent ones before the others, each part in order of admission.
  std::vector<uint32_t> prefilling_;
  uint64_t pass_ = 0;
};

}  // namespace eyrie
