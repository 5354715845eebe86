#include "engine/score_layers.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/batch_runner.h"
#include "engine/draw_failure.h"
#include "engine/kv_pages.h"
#include "engine/open_backend.h"
#include "engine/scheduler.h"
#include "error.h"
#include "model/available_memory.h"

namespace eyrie {

namespace {

using Texts = std::span<const std::vector<uint32_t>>;

/// Texts in a pass: they fill it, and more would only take memory for keys and values.
constexpr uint32_t kTextsOfAPass = 16;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

void check_texts(const EngineOptions& options, Texts texts, uint32_t layers) {
  const FalconConfig& config = options.config;
  if (layers > config.layers) {
    refuse("layers is " + std::to_string(layers) + ", must be from 1 to " + std::to_string(config.layers) +
           ", the layers of the model; leave it out for as many as fit");
  }
  for (const std::vector<uint32_t>& text : texts) {
    if (text.empty() || text.size() > options.slot_tokens) {
      refuse("a text has " + std::to_string(text.size()) +
             " tokens, must have from 1 to slotTokens = " + std::to_string(options.slot_tokens));
    }
    for (const uint32_t id : text) {
      if (id >= config.vocab_size) {
        refuse("a text holds the token " + std::to_string(id) + ", must be below the vocabulary size " + std::to_string(config.vocab_size));
      }
    }
  }
}

uint64_t tokens_of(Texts texts) {
  uint64_t tokens = 0;
  for (const std::vector<uint32_t>& text : texts) tokens += text.size();
  return tokens;
}

/// A part of the model over all texts, pass by pass.
class PartRun {
 public:
  /// `residual` [tokens of all texts, hidden] is read where the part does not begin the model and written where it does not end it.
  PartRun(Backend& backend, const FalconConfig& part, uint32_t slots, uint32_t rows_max, Texts texts, std::span<float> residual,
          std::span<TextScore> scores)
      : backend_(backend),
        part_(part),
        slots_(slots),
        rows_max_(rows_max),
        texts_(texts),
        residual_(residual),
        scores_(scores),
        pages_(kv_budget(backend.info()), slots) {}

  void run(const std::atomic<bool>& cancelled) {
    while (text_ < texts_.size()) {
      if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::engine_closed, "closed while scoring");
      run_pass();
    }
  }

 private:
  /// Text number n is in slot n % slots: those of a pass follow each other.
  uint32_t slot_of(size_t text) const { return static_cast<uint32_t>(text % slots_); }

  /// Gives the next text its slot, where there are pages for it.
  bool enter() {
    const std::vector<uint32_t>& text = texts_[text_];
    if (pages_.budget().pages_for(text.size()) > pages_.free()) return false;
    pages_.open_slot(slot_of(text_), text.size());
    backend_.open_slot(slot_of(text_), SamplingParams{}, text, static_cast<uint32_t>(text.size()));
    return true;
  }

  void run_pass() {
    tokens_.clear();
    spans_.clear();
    asked_.clear();
    targets_.clear();
    const size_t first_text = text_;
    while (text_ < texts_.size() && spans_.size() < slots_ && add_span()) {}
    const auto rows = static_cast<uint64_t>(tokens_.size()) * part_.hidden_size;
    if (rows == 0) throw Error(ErrorCode::internal_error, "a pass without rows");
    if (!part_.begins()) backend_.put_residual(residual_.subspan(done_ * part_.hidden_size, rows));
    backend_.forward(tokens_, spans_);
    if (part_.ends()) {
      backend_.draw(asked_);
      take_scores(backend_.collect());
    } else {
      backend_.get_residual(residual_.subspan(done_ * part_.hidden_size, rows));
    }
    done_ += tokens_.size();
    for (size_t ended = first_text; ended < text_; ++ended) {
      pages_.release_pages(slot_of(ended));
      backend_.release_pages(slot_of(ended));
    }
  }

  /// As much of the text as the pass has room for, cut as the scheduler cuts prompts; false when the pass is full.
  bool add_span() {
    const std::vector<uint32_t>& text = texts_[text_];
    const auto left = static_cast<uint32_t>(text.size()) - position_;
    const uint32_t room = rows_max_ - static_cast<uint32_t>(tokens_.size());
    const uint32_t rows = left <= room ? left : room / kChunkTokens * kChunkTokens;
    if (rows == 0 || (position_ == 0 && !enter())) return false;
    const uint32_t slot = slot_of(text_);
    spans_.push_back({slot, position_, rows, part_.ends() ? rows : 0});
    for (uint32_t i = position_; i < position_ + rows; ++i) {
      if (part_.ends() && i + 1 < text.size()) {
        HeadRow row;
        row.index = static_cast<uint32_t>(tokens_.size());
        row.slot = slot;
        row.scored = static_cast<int32_t>(text[i + 1]);
        row.top = 1;
        asked_.push_back(row);
        targets_.emplace_back(text_, i + 1);
      }
      tokens_.push_back(static_cast<int32_t>(text[i]));
    }
    position_ += rows;
    if (position_ < text.size()) return false;
    ++text_;
    position_ = 0;
    return true;
  }

  void take_scores(std::span<const HeadResult> results) {
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].error != DrawError::none) {
        const Failure failure = draw_failure(results[i].error);
        throw Error(failure.code, failure.message);
      }
      TextScore& score = scores_[targets_[i].first];
      score.chosen[targets_[i].second] = results[i].logprob;
      score.best[targets_[i].second] = static_cast<uint32_t>(results[i].top_ids.front());
    }
  }

  Backend& backend_;
  const FalconConfig& part_;
  const uint32_t slots_;
  const uint32_t rows_max_;
  const Texts texts_;
  const std::span<float> residual_;
  const std::span<TextScore> scores_;
  KvPages pages_;

  size_t text_ = 0;        // whose rows come next
  uint32_t position_ = 0;  // of its next row; > 0: it is in its slot
  uint64_t done_ = 0;      // tokens of earlier passes
  std::vector<int32_t> tokens_;
  std::vector<PassSpan> spans_;
  std::vector<HeadRow> asked_;
  std::vector<std::pair<size_t, size_t>> targets_;  // [asked] text and place
};

class Scorer {
 public:
  Scorer(EngineOptions options, const ScoreSettings& settings, const std::atomic<bool>& cancelled)
      : options_(std::move(options)),
        settings_(settings),
        cancelled_(cancelled),
        pool_(static_cast<int>(options_.threads), false),
        layers_(settings.layers == 0 ? options_.config.layers : settings.layers),
        device_(options_.device == DeviceChoice::automatic ? DeviceChoice::cuda : options_.device) {}

  uint32_t layers_at_once() const { return layers_at_once_; }

  void score(Texts texts, std::span<TextScore> scores) {
    const FalconConfig& model = options_.config;
    std::vector<float> residual;
    for (uint32_t first = 0; first < model.layers;) {
      const FalconConfig part = open(first, [&] {
        // Taken before the part is, so that the memory counted as free is what the part may take.
        if (residual.empty()) residual.resize(tokens_of(texts) * model.hidden_size);
      });
      const bool on_card = backend_->info().device == DeviceKind::cuda;
      const uint32_t slots = on_card ? options_.cuda.slots : options_.slots;
      const uint32_t prefill_tokens = on_card ? options_.cuda.prefill_tokens : options_.prefill_tokens;
      PartRun(*backend_, part, slots, pass_rows_max(slots, prefill_tokens), texts, residual, scores).run(cancelled_);
      backend_.reset();
      first += part.layers;
    }
  }

 private:
  /// Opens layers from `first` on, as many as there may be at a time, or fewer where that does not fit. `before_part` is called where they
  /// are not the whole model.
  template <class BeforePart>
  FalconConfig open(uint32_t first, const BeforePart& before_part) {
    while (true) {
      EngineOptions mine = options_;
      mine.device = device_;
      mine.config = options_.config.part(first, std::min(layers_, options_.config.layers - first));
      if (mine.config.layers < options_.config.layers) before_part();
      bool read = false;
      try {
        backend_ = settings_.open(mine, pool_, [&](uint64_t, uint64_t) { read = true; }, cancelled_).backend;
        layers_at_once_ = std::max(layers_at_once_, mine.config.layers);
        return mine.config;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::unsupported_device && options_.device == DeviceChoice::automatic && device_ == DeviceChoice::cuda) {
          device_ = DeviceChoice::automatic;  // without a usable card open_backend() takes the CPU and says why
        } else if (error.code() == ErrorCode::out_of_memory) {
          shrink(mine.config.layers, read, error);
        } else {
          throw;
        }
      }
    }
  }

  /// The memory plan refuses a part that is too large at once; a part that fails while it is read costs time, so it is halved.
  void shrink(uint32_t tried, bool read, const Error& error) {
    if (settings_.layers != 0 || tried == 1) {
      throw Error(ErrorCode::out_of_memory, std::string(tried == 1 ? "a single layer" : std::to_string(tried) + " layers") +
                                                " at a time do" + (tried == 1 ? "es" : "") + " not fit: " + error.what() +
                                                (tried == 1 ? "" : "; or a smaller --layers"));
    }
    layers_ = read ? tried / 2 : tried - 1;
  }

  const EngineOptions options_;
  const ScoreSettings& settings_;
  const std::atomic<bool>& cancelled_;
  ThreadPool pool_;
  uint32_t layers_;
  DeviceChoice device_;
  std::unique_ptr<Backend> backend_;
  uint32_t layers_at_once_ = 0;
};

}  // namespace

LayerScores score_by_layers(EngineOptions options, const std::vector<std::vector<uint32_t>>& texts, const ScoreSettings& settings,
                            const std::atomic<bool>& cancelled) {
  check_engine_options(options);
  check_texts(options, texts, settings.layers);
  LayerScores result;
  uint32_t longest = 1;
  for (const std::vector<uint32_t>& text : texts) {
    longest = std::max(longest, static_cast<uint32_t>(text.size()));
    result.texts.push_back({std::vector<float>(text.size(), std::nanf("")), std::vector<uint32_t>(text.size(), 0)});
  }
  const auto of_a_pass = static_cast<uint32_t>(std::clamp<size_t>(texts.size(), 1, kTextsOfAPass));
  options.slots = std::min(options.slots, of_a_pass);
  options.cuda.slots = std::min(options.cuda.slots, of_a_pass);
  options.slot_tokens = longest;
  const uint64_t token_bytes = options.config.hidden_size * sizeof(float);
  const uint64_t tokens_max = std::min(settings.residual_bytes_max, available_memory() / kResidualShareOfFree) / token_bytes;
  Scorer scorer(std::move(options), settings, cancelled);
  const Texts all(texts);
  for (size_t begin = 0; begin < texts.size();) {
    uint64_t tokens = 0;
    size_t end = begin;
    do {
      tokens += texts[end++].size();
    } while (end < texts.size() && tokens + texts[end].size() <= tokens_max);
    scorer.score(all.subspan(begin, end - begin), std::span(result.texts).subspan(begin, end - begin));
    ++result.readings;
    begin = end;
  }
  result.layers_at_once = scorer.layers_at_once();
  return result;
}

}  // namespace eyrie
