#pragma once
// Scores texts with a model that need not fit into memory: some of its layers at a time. Each part of the model in turn is opened as a
// backend of its own and run over all texts; between two parts the residual stream of every token is kept on the host. Bit for bit the
// log-probabilities that the whole model gives.

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/engine_options.h"
#include "engine/open_backend.h"

namespace eyrie {

/// For each token of a text but the first, whose score is NaN: its log-probability (natural logarithm, of the raw logits, over the whole
/// vocabulary) and the best token in its place.
struct TextScore {
  std::vector<float> chosen;
  std::vector<uint32_t> best;
};

struct LayerScores {
  std::vector<TextScore> texts;
  uint32_t layers_at_once = 0;  ///< the most that were held
  uint32_t readings = 0;        ///< how often the weights were read: once, but for texts whose residual rows exceed the bound
};

/// Most bytes of residual rows (4 x hidden for a token), and the share of the host's free memory that they may take. Texts that have more
/// are scored in several readings of the weights; one text of the longest context has 0.12 GB in the largest Falcon.
inline constexpr uint64_t kResidualBytesMax = uint64_t{2} << 30;
inline constexpr uint64_t kResidualShareOfFree = 4;

struct ScoreSettings {
  uint32_t layers = 0;  ///< at a time, the last part may have fewer; 0: as many as fit
  uint64_t residual_bytes_max = kResidualBytesMax;
  /// For tests.
  std::function<decltype(open_backend)> open = open_backend;
};

/// Slots, their length and the KV pages of `options` are bounds: what the texts have no use for is not taken. With the device `automatic`
/// a card is taken where there is one, however little of the model it holds. Throws invalid_request; out_of_memory where `layers`, or a
/// single one, does not fit; numeric_error for logits that are not finite; and what open_backend() throws. `cancelled` ends it with
/// engine_closed, within one pass or block that is read.
LayerScores score_by_layers(EngineOptions options, const std::vector<std::vector<uint32_t>>& texts, const ScoreSettings& settings,
                            const std::atomic<bool>& cancelled);

}  // namespace eyrie
