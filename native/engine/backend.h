#pragma once
// What the engine asks of a device: one resident model that takes passes of token rows and gives tokens back.
//
// forward() and draw() start work; collect() waits for the oldest draw() not collected yet. A device that runs beside the host
// (lookahead 1) is given the forward pass p + 1 before the tokens of pass p are known on the host: the input token of a row may be
// kDrawn, "what this slot drew last". Everything that a sequence's tokens depend on, sampling included, is on the device's side of
// the line; text, stop strings and grammars are on the host's, one pass after it.

#include <cstdint>
#include <span>
#include <string>

#include "numbers/dtype.h"
#include "sampling/draw_error.h"
#include "sampling/sampling_params.h"

namespace eyrie {

enum class DeviceKind : uint8_t { cpu, cuda };

/// In place of a token id: the token that the row's slot drew in the latest draw().
inline constexpr int32_t kDrawn = -1;

/// Consecutive tokens of one sequence at positions [first_position, first_position + rows).
struct PassSpan {
  uint32_t slot = 0;
  uint32_t first_position = 0;
  uint32_t rows = 0;
  /// How many of the last rows go on to the head.
  uint32_t head_rows = 0;
};

/// A head row of the latest forward(), and what is wanted of its logits: the slot's next token, or a score, never both.
struct HeadRow {
  uint32_t index = 0;  ///< among the head rows of the pass; rows that are not listed are not looked at
  uint32_t slot = 0;
  bool draws = false;                 ///< the slot's next token
  int32_t scored = -1;                ///< log-probability of this id; -1: none
  int32_t top = -1;                   ///< best tokens reported, 0 to kTopLogprobsMax; -1: no log-probabilities at all
  const uint32_t* allowed = nullptr;  ///< bitmap of a grammar, [(vocab + 31) / 32]; read before draw() returns
};

/// What came of one HeadRow. Log-probabilities are of the raw logits, over the whole vocabulary.
struct HeadResult {
  DrawError error = DrawError::none;
  int32_t token = -1;  ///< of a row that draws
  float logprob = 0;   ///< of `token` or of the scored id; set where top >= 0
  /// Best first, lowest id first among equals; shorter than `top` where fewer logits are finite.
  std::span<const int32_t> top_ids;
  std::span<const float> top_logprobs;
};

struct BackendInfo {
  DeviceKind device = DeviceKind::cpu;
  /// What the bytes of results may depend on beside the model: the instruction set of a CPU, the name and architecture of a card.
  std::string kind;
  DType dtype = DType::bfloat16;  ///< of the layers' weights
  std::string numerics;           ///< version of the numerics, part of the fingerprint
  uint64_t weight_bytes = 0;
  uint64_t kv_cache_bytes = 0;
  uint32_t lookahead = 0;         ///< passes launched before the tokens of the one before are looked at: 0 or 1
  uint32_t kv_page_tokens = 0;    ///< keys and values are reserved in pages of so many tokens; 0: each slot has its own room
  uint32_t kv_pages = 0;          ///< pages in all
  uint32_t logit_biases_max = 0;  ///< of one sequence; 0: no bound
};

/// What an engine asks of a backend at most.
struct BatchShape {
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;    ///< positions of the longest sequence
  uint32_t rows_max = 0;       ///< rows of the largest pass
  uint32_t head_rows_max = 0;  ///< of which so many get logits at a time on the CPU
};

/// One resident model, or a part of one, on one device or group of devices. Called by one thread at a time. An exception out of any call means that the
/// device cannot go on.
class [[gnu::visibility("default")]] Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;

  /// A sequence enters `slot`, which holds none: its sampling, its prompt for the penalties, and room for `tokens` positions in all
  /// (prompt and what may be generated). What the slot holds of an earlier sequence's keys and values stays valid up to the first
  /// position that a later forward() writes.
  virtual void open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) = 0;
  /// The pages of `slot`, which holds no sequence, may be used by others: its keys and values are gone.
  virtual void release_pages(uint32_t slot) = 0;
  /// Keys and values of positions [0, tokens) of `from`, in all layers.
  virtual void copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) = 0;

  /// Runs all layers over `tokens` (ids or kDrawn), the rows of `spans` one after the other, and extends the slots' caches by them. A part
  /// of a model that does not begin with the embedding takes what put_residual() gave in place of tokens.
  virtual void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) = 0;
  /// Once after each forward(), rows in ascending order of index.
  virtual void draw(std::span<const HeadRow> rows) = 0;
  /// Results in the order of the rows; valid until the next collect().
  virtual std::span<const HeadResult> collect() = 0;

  /// The residual stream of the next forward(), [rows of the pass, hidden] float32. `rows` stays as it is until get_residual() or
  /// collect() of that pass.
  virtual void put_residual(std::span<const float> rows) = 0;
  /// That of the latest forward() of a part that does not end with the head, which nothing is drawn from; waits for it. What is put
  /// into the part with the layers that follow gives the bytes that the whole model would.
  virtual void get_residual(std::span<float> rows) = 0;

  /// Of matrix products, since the model was opened.
  virtual uint64_t multiply_adds() const = 0;
};

}  // namespace eyrie
