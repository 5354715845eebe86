#pragma once
// From logits to tokens on the card: the ids are those of the CPU's sampler for equal logits, since masses are integers
// (sampling/masses.h) and every limit is an exact comparison. Never a sort of the whole vocabulary.

#include <cstddef>
#include <cstdint>

#include "cuda/device.h"
#include "sampling/draw_error.h"
#include "sampling/sampling_params.h"

namespace eyrie::cuda {

/// The parameters of one slot as the kernels read them: those of a checked request.
struct SlotSampling {
  float temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
  int32_t top_k, biases, stop_ids;  // counts of those arrays
  uint32_t min_tokens;
  uint32_t output_tokens;  // drawn so far, advanced by draw_rows()
  uint32_t has_penalties;  // 0: the slot's counts are neither read nor written
  uint64_t seed, request;
};

/// State of all slots, in device memory. V = vocabulary.
struct SlotStates {
  int slots = 0;
  int vocab = 0;
  int32_t* drawn = nullptr;          // [slots] the latest token
  uint16_t* counts = nullptr;        // [slots][V] low 15 bits: occurrences in the output, saturated; bit 15: in prompt or output
  SlotSampling* sampling = nullptr;  // [slots]
  LogitBias* biases = nullptr;       // [slots][biases_max]; an id that stands there more than once gets all its biases in order
  int biases_max = 0;
  int32_t* stop_ids = nullptr;  // [stop_ids_max] the same for all slots
  int stop_ids_max = 0;
};

/// One row to draw or to score; mirrors HeadRow.
struct SampleRow {
  int32_t logits_row = 0;
  int32_t slot = 0;
  int32_t draws = 0;
  int32_t scored = -1;
  int32_t top = -1;
  int32_t mask = -1;  ///< which bitmap of `masks`; -1: none
};

/// What came of it; mirrors HeadResult.
struct SampleResult {
  int32_t error = 0;  ///< DrawError; then nothing else is set, and the slot is as it was
  int32_t token = -1;
  float logprob = 0;      ///< of the raw logits, where top >= 0: of `token`, or of the scored id
  int32_t top_count = 0;  ///< best first, lowest id first among equals; fewer than `top` where fewer logits are finite
  int32_t top_ids[kTopLogprobsMax];
  float top_logprobs[kTopLogprobsMax];
};

/// The slot's prompt into its counts (all of which are cleared first), for a sequence with penalties. `prompt`: device, [tokens].
void set_history(Stream& stream, const SlotStates& states, int slot, const int32_t* prompt, int tokens);

/// Room for a copy of each row of logits: what a row draws from when masks, biases or penalties change it, since its log-probabilities
/// are those of the raw logits.
size_t sampler_scratch_bytes(int rows_max, int vocab);

/// logits [*, V] float32, only read. rows, results: device [count], count <= rows_max of the scratch. masks: device, bitmaps of
/// (V + 31) / 32 words. One block of threads per row, one launch.
///
/// A row that draws advances its slot: drawn, output_tokens, and counts if it has penalties. No two rows that draw are of one slot. A row
/// that has an error (a NaN, an infinity, nothing allowed) advances nothing and touches no other row. V is below 2^22.
void draw_rows(Stream& stream, const float* logits, const SampleRow* rows, int count, const uint32_t* masks, const SlotStates& states,
               void* scratch, SampleResult* results);

}  // namespace eyrie::cuda
