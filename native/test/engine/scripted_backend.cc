#include "test/engine/scripted_backend.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error.h"

namespace eyrie::test {

ScriptedBackend::ScriptedBackend(const Options& options) : options_(options), pages_(options.pages, options.slots), slots_(options.slots) {
  info_.lookahead = options.lookahead;
  info_.kv_page_tokens = options.pages.page_tokens;
  info_.kv_pages = options.pages.pages;
}

uint32_t ScriptedBackend::token(std::span<const uint32_t> prompt, const SamplingParams& sampling, uint32_t index, const Options& options) {
  uint64_t hash = (sampling.seed + 1) * 0x9e3779b97f4a7c15;
  for (const uint32_t id : prompt) hash = (hash ^ id) * 0x100000001b3;
  hash = (hash ^ index) * 0xff51afd7ed558ccd;
  const auto id = static_cast<uint32_t>((hash ^ hash >> 33) % options.vocab);
  return id == options.end_token && index < sampling.min_tokens ? id + 1 : id;
}

uint32_t ScriptedBackend::next_allowed(uint32_t wanted, const uint32_t* allowed, uint32_t vocab) {
  for (uint32_t i = 0; allowed != nullptr && i < vocab; ++i) {
    const uint32_t id = (wanted + i) % vocab;
    if ((allowed[id / 32] >> id % 32 & 1u) != 0) return id;
  }
  return wanted;
}

void ScriptedBackend::count_call() {
  if (calls_left_ >= 0 && calls_left_-- == 0) throw Error(ErrorCode::internal_error, "the card is gone");
}

void ScriptedBackend::open_slot(uint32_t index, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) {
  Slot& slot = slots_.at(index);
  EXPECT_EQ(slot.passes, 0u) << "slot " << index << " was opened before all passes that hold it were collected";
  slot.prompt.assign(prompt.begin(), prompt.end());
  slot.sampling = sampling;
  slot.capacity = tokens;
  slot.output.clear();
  slot.over = false;
  EXPECT_GE(pages_.of_slot(index) + pages_.free(), pages_.budget().pages_for(tokens)) << "more pages than there are";
  pages_.open_slot(index, tokens);
}

void ScriptedBackend::release_pages(uint32_t index) {
  EXPECT_EQ(slots_.at(index).passes, 0u) << "pages of a slot that is in use";
  slots_[index].cache.clear();
  pages_.release_pages(index);
  ++released_;
}

void ScriptedBackend::copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) {
  ASSERT_LE(tokens, slots_.at(from).cache.size());
  slots_.at(to).cache.assign(slots_[from].cache.begin(), slots_[from].cache.begin() + tokens);
}

void ScriptedBackend::forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  count_call();
  EXPECT_TRUE(passes_.empty() || passes_.back().drawn) << "forward() twice without draw()";
  EXPECT_LE(passes_.size(), options_.lookahead);
  Pass pass;
  size_t row = 0;
  for (const PassSpan& span : spans) {
    Slot& slot = slots_.at(span.slot);
    EXPECT_EQ(std::count(pass.slots.begin(), pass.slots.end(), span.slot), 0) << "two spans of one slot";
    pass.slots.push_back(span.slot);
    ++slot.passes;
    ASSERT_LE(span.first_position, slot.cache.size()) << "a gap before position " << span.first_position;
    slot.cache.resize(span.first_position);
    for (uint32_t i = 0; i < span.rows; ++i, ++row) {
      const uint32_t position = span.first_position + i;
      const bool of_prompt = position < slot.prompt.size();
      ASSERT_LT(position, slot.capacity) << "more tokens than were reserved";
      ASSERT_EQ(tokens[row] == kDrawn, !of_prompt) << "position " << position;
      if (of_prompt) {
        ASSERT_EQ(static_cast<uint32_t>(tokens[row]), slot.prompt[position]);
      } else {
        ++decode_rows_;
        ASSERT_EQ(position, slot.prompt.size() + slot.output.size() - 1) << "not the position of the latest token";
      }
      slot.cache.push_back(of_prompt ? slot.prompt[position] : slot.output.back());
      if (i + span.head_rows >= span.rows) pass.heads.push_back({span.slot, position});
    }
  }
  EXPECT_EQ(row, tokens.size());
  rows_ += row;
  passes_.push_back(std::move(pass));
}

void ScriptedBackend::draw(std::span<const HeadRow> rows) {
  count_call();
  ASSERT_FALSE(passes_.empty());
  Pass& pass = passes_.back();
  EXPECT_FALSE(pass.drawn) << "draw() twice after one forward()";
  pass.drawn = true;
  pass.rows.assign(rows.begin(), rows.end());
  int64_t before = -1;
  for (const HeadRow& row : rows) {
    ASSERT_LT(row.index, pass.heads.size());
    EXPECT_GT(int64_t{row.index}, before) << "rows must ascend";
    before = row.index;
    EXPECT_EQ(row.slot, pass.heads[row.index].slot);
    pass.results.push_back(result_of(row, pass.heads[row.index], pass));
    ++drawn_rows_;
  }
}

HeadResult ScriptedBackend::result_of(const HeadRow& row, const Head& head, Pass& pass) {
  Slot& slot = slots_[row.slot];
  std::vector<uint32_t> text = slot.prompt;
  text.insert(text.end(), slot.output.begin(), slot.output.end());
  text.resize(std::min<size_t>(text.size(), head.position + 1));
  EXPECT_EQ(std::vector<uint32_t>(slot.cache.begin(), slot.cache.begin() + head.position + 1), text) << "keys and values of another text";
  EXPECT_FALSE(slot.over) << "a row of a sequence whose end was told";
  HeadResult result;
  EXPECT_EQ(row.draws, row.scored < 0);
  if (row.draws) {
    const uint32_t wanted = token(slot.prompt, slot.sampling, static_cast<uint32_t>(slot.output.size()), options_);
    result.token = static_cast<int32_t>(next_allowed(wanted, row.allowed, options_.vocab));
    slot.output.push_back(static_cast<uint32_t>(result.token));
  }
  if (row.top < 0) return result;
  result.logprob = score(row.draws ? result.token : row.scored);
  std::vector<int32_t>& ids = pass.ids.emplace_back();
  std::vector<float>& logprobs = pass.logprobs.emplace_back();
  for (int32_t i = 0; i < row.top; ++i) {
    ids.push_back(i);
    logprobs.push_back(score(i));
  }
  result.top_ids = ids;
  result.top_logprobs = logprobs;
  return result;
}

std::span<const HeadResult> ScriptedBackend::collect() {
  count_call();
  EXPECT_FALSE(passes_.empty()) << "collect() without a pass";
  EXPECT_TRUE(passes_.front().drawn) << "collect() before draw()";
  collected_ = std::move(passes_.front());
  passes_.pop_front();
  for (const uint32_t slot : collected_.slots) --slots_[slot].passes;
  for (size_t i = 0; i < collected_.rows.size(); ++i) {
    const HeadRow& row = collected_.rows[i];
    const bool end = row.draws && collected_.results[i].token == static_cast<int32_t>(options_.end_token);
    Slot& slot = slots_[row.slot];
    if (end && (row.allowed != nullptr || !slot.sampling.stop_ids.empty())) slot.over = true;
  }
  return collected_.results;
}

}  // namespace eyrie::test
