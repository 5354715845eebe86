#pragma once
// A device without a model: a sequence's tokens follow from its prompt, its seed and their place alone, so that whatever a runner does with
// slots, passes and neighbours must not show. It keeps for every slot the tokens whose keys and values a real device would hold, and
// fails the test where a rule of backend.h is broken.

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/backend.h"
#include "engine/kv_pages.h"

namespace eyrie::test {

class ScriptedBackend final : public Backend {
 public:
  struct Options {
    uint32_t lookahead = 0;
    uint32_t slots = 4;
    uint32_t vocab = 29;
    uint32_t end_token = 11;
    KvBudget pages;
  };

  explicit ScriptedBackend(const Options& options);

  /// Token number `index` of a sequence, before a grammar has its say.
  static uint32_t token(std::span<const uint32_t> prompt, const SamplingParams& sampling, uint32_t index, const Options& options);
  /// What is drawn when `wanted` is not allowed: the next allowed id, upwards and around.
  static uint32_t next_allowed(uint32_t wanted, const uint32_t* allowed, uint32_t vocab);
  static float score(int32_t id) { return -static_cast<float>(id) / 64; }

  /// The call number `calls` of forward, draw and collect together throws, counted from now.
  void fail_after(uint32_t calls) { calls_left_ = static_cast<int64_t>(calls); }
  uint32_t drawn_rows() const { return drawn_rows_; }
  uint32_t decode_rows() const { return decode_rows_; }
  uint32_t released() const { return released_; }

  const BackendInfo& info() const override { return info_; }
  void open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) override;
  void release_pages(uint32_t slot) override;
  void copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) override;
  void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) override;
  void draw(std::span<const HeadRow> rows) override;
  std::span<const HeadResult> collect() override;
  void put_residual(std::span<const float>) override {}
  void get_residual(std::span<float>) override {}
  uint64_t multiply_adds() const override { return rows_; }

 private:
  struct Slot {
    std::vector<uint32_t> prompt;
    SamplingParams sampling;
    uint32_t capacity = 0;
    std::vector<uint32_t> output;  // drawn
    std::vector<uint32_t> cache;   // tokens that keys and values are held of
    uint32_t passes = 0;           // not collected, that hold it
    bool over = false;             // the host has been told its end token
  };

  struct Head {
    uint32_t slot = 0;
    uint32_t position = 0;
  };

  struct Pass {
    std::vector<uint32_t> slots;
    std::vector<Head> heads;
    bool drawn = false;
    std::vector<HeadRow> rows;
    std::vector<HeadResult> results;
    std::vector<std::vector<int32_t>> ids;  // what the results point at
    std::vector<std::vector<float>> logprobs;
  };

  void count_call();
  HeadResult result_of(const HeadRow& row, const Head& head, Pass& pass);

  Options options_;
  BackendInfo info_;
  KvPages pages_;
  std::vector<Slot> slots_;
  std::deque<Pass> passes_;
  Pass collected_;
  int64_t calls_left_ = -1;
  uint32_t drawn_rows_ = 0;
  uint32_t decode_rows_ = 0;
  uint32_t released_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace eyrie::test
