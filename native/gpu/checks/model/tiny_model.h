#pragma once
// A whole model of two layers with random weights on the card, and what it says of rows of tokens.

#include <bit>
#include <cmath>
#include <memory>
#include <vector>

#include "cuda/cuda_backend.h"
#include "gpu/check_registry.h"
#include "gpu/forms.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

using Tokens = std::vector<int32_t>;

/// A result as words, to be compared bit by bit: error, token, log-probability, then the best tokens.
inline void append_words(std::vector<uint32_t>& words, const HeadResult& result) {
  words.push_back(static_cast<uint32_t>(result.error));
  words.push_back(static_cast<uint32_t>(result.token));
  words.push_back(std::bit_cast<uint32_t>(result.logprob));
  for (const int32_t id : result.top_ids) words.push_back(static_cast<uint32_t>(id));
  for (const float logprob : result.top_logprobs) words.push_back(std::bit_cast<uint32_t>(logprob));
}

/// Rows of one sequence in a pass.
struct Part {
  uint32_t slot = 0;
  uint32_t first = 0;
  Tokens tokens;
};

class TinyModel {
 public:
  static constexpr uint32_t kSlots = 4;

  TinyModel(const CheckContext& context, cuda::LayerFormats format, bool graphs, uint32_t rows_max) {
    cuda::CudaBackendOptions options;
    options.config = form("tiny");
    options.format = format;
    options.slots = kSlots;
    options.slot_tokens = 512;
    options.rows_max = rows_max;
    options.graphs = graphs;
    backend_ = std::make_unique<cuda::CudaBackend>(std::make_shared<cuda::Device>(context.device.info().ordinal, true), options);
    backend_->weights().fill_random(backend_->stream(), context.seed);
    backend_->stream().synchronize();
  }

  cuda::CudaBackend& backend() { return *backend_; }

  static Tokens prompt(size_t count, uint64_t seed) {
    Tokens tokens;
    for (size_t i = 0; i < count; ++i)
      tokens.push_back(static_cast<int32_t>(mixed(i + seed * 0x9e3779b97f4a7c15ull) % form("tiny").vocab_size));
    return tokens;
  }

  void open(uint32_t slot, const Tokens& prompt, uint32_t tokens, const SamplingParams& params = {}) {
    backend_->open_slot(slot, params, std::vector<uint32_t>(prompt.begin(), prompt.end()), tokens);
  }

  /// One pass in which every row is scored: of each part the words of its results.
  std::vector<std::vector<uint32_t>> score(const std::vector<Part>& parts) {
    Tokens tokens;
    std::vector<PassSpan> spans;
    std::vector<HeadRow> rows;
    for (const Part& part : parts) {
      const auto count = static_cast<uint32_t>(part.tokens.size());
      spans.push_back({part.slot, part.first, count, count});
      for (const int32_t token : part.tokens) {
        tokens.push_back(token);
        HeadRow row;
        row.index = static_cast<uint32_t>(rows.size());
        row.slot = part.slot;
        row.scored = 7;
        row.top = kTopLogprobsMax;
        rows.push_back(row);
      }
    }
    backend_->forward(tokens, spans);
    backend_->draw(rows);
    const std::span<const HeadResult> results = backend_->collect();
    std::vector<std::vector<uint32_t>> words;
    size_t at = 0;
    for (const Part& part : parts) {
      words.emplace_back();
      for (size_t i = 0; i < part.tokens.size(); ++i) {
        finite_ = finite_ && results[at].error == DrawError::none && std::isfinite(results[at].logprob);
        append_words(words.back(), results[at++]);
      }
    }
    return words;
  }

  /// The slots' prompts in one pass, then `steps` passes of one row each, every one started before the tokens of the one before are
  /// known: of each slot the words of what it drew.
  std::vector<std::vector<uint32_t>> generate(const std::vector<Part>& prompts, uint32_t steps) {
    Tokens tokens;
    std::vector<PassSpan> spans;
    std::vector<HeadRow> rows;
    for (const Part& part : prompts) {
      tokens.insert(tokens.end(), part.tokens.begin(), part.tokens.end());
      spans.push_back({part.slot, 0, static_cast<uint32_t>(part.tokens.size()), 1});
      HeadRow row;
      row.index = static_cast<uint32_t>(rows.size());
      row.slot = part.slot;
      row.draws = true;
      row.top = 5;
      rows.push_back(row);
    }
    backend_->forward(tokens, spans);
    backend_->draw(rows);
    std::vector<std::vector<uint32_t>> words(prompts.size());
    const auto collect = [&] {
      const std::span<const HeadResult> results = backend_->collect();
      for (size_t i = 0; i < results.size(); ++i) {
        finite_ = finite_ && results[i].error == DrawError::none && std::isfinite(results[i].logprob);
        append_words(words[i], results[i]);
      }
    };
    tokens.assign(prompts.size(), kDrawn);
    for (PassSpan& span : spans) span = {span.slot, span.rows - 1, 1, 1};
    for (uint32_t step = 0; step < steps; ++step) {
      for (PassSpan& span : spans) ++span.first_position;
      backend_->forward(tokens, spans);
      collect();
      backend_->draw(rows);
    }
    collect();
    return words;
  }

  /// No logits of any row so far had a NaN or an infinity.
  bool finite() const { return finite_; }

 private:
  std::unique_ptr<cuda::CudaBackend> backend_;
  bool finite_ = true;
};

}  // namespace eyrie::gpu
