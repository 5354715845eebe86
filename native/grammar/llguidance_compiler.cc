// Grammars by the crate beside this file. The only C++ that sees its interface.

#include <algorithm>
#include <array>
#include <functional>

#include "engine/grammar.h"
#include "error.h"
#include "grammar/eyrie_grammar.h"

namespace eyrie {

namespace {

class Message {
 public:
  EyrieMessage buffer() { return {text_.data(), text_.size()}; }
  [[noreturn]] void raise(const std::string& what) const { throw Error(ErrorCode::invalid_request, what + ": " + text_.data()); }

 private:
  std::array<char, 512> text_{};
};

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* made) const {
    Free(made);
  }
};
using VocabularyPtr = std::unique_ptr<EyrieVocabulary, Freed<eyrie_vocabulary_free>>;
using GrammarPtr = std::unique_ptr<EyrieGrammar, Freed<eyrie_grammar_free>>;
using MatcherPtr = std::unique_ptr<EyrieMatcher, Freed<eyrie_matcher_free>>;

/// What all grammars of a vocabulary share.
struct Tokens {
  uint32_t count = 0;
  uint32_t end = 0;
  std::vector<uint32_t> never;  ///< special ones; a grammar could name them by id
};

uint32_t kind_number(GrammarKind kind) {
  switch (kind) {
    case GrammarKind::json_object: return EYRIE_JSON_OBJECT;
    case GrammarKind::json_schema: return EYRIE_JSON_SCHEMA;
    case GrammarKind::regex: return EYRIE_REGEX;
    case GrammarKind::choice: return EYRIE_CHOICE;
    case GrammarKind::lark: return EYRIE_LARK;
  }
  throw Error(ErrorCode::internal_error, "a kind of grammar that does not exist");
}

class Matcher final : public GrammarMatcher {
 public:
  Matcher(MatcherPtr matcher, std::shared_ptr<const Tokens> tokens) : matcher_(std::move(matcher)), tokens_(std::move(tokens)) {}

  void allowed_tokens(std::span<uint32_t> words) override {
    Message message;
    if (eyrie_matcher_allowed(matcher_.get(), words.data(), words.size(), message.buffer()) < 0) give_up(message);
    for (const uint32_t id : tokens_->never) words[id / 32] &= ~(1u << id % 32);
    if (std::all_of(words.begin(), words.end(), [](uint32_t word) { return word == 0; })) {
      throw Error(ErrorCode::invalid_request, "the grammar allows special tokens only, and those are never generated inside an answer");
    }
  }

  bool accept(uint32_t token) override {
    Message message;
    const int32_t status = eyrie_matcher_accept(matcher_.get(), token, message.buffer());
    if (status < 0) give_up(message);
    return status > 0;
  }

 private:
  [[noreturn]] static void give_up(const Message& message) { message.raise("the grammar cannot be followed any further"); }

  MatcherPtr matcher_;
  std::shared_ptr<const Tokens> tokens_;
};

class Compiled final : public Grammar {
 public:
  Compiled(GrammarPtr grammar, std::shared_ptr<const Tokens> tokens) : grammar_(std::move(grammar)), tokens_(std::move(tokens)) {}

  std::unique_ptr<GrammarMatcher> start() const override {
    Message message;
    MatcherPtr matcher(eyrie_matcher_start(grammar_.get(), message.buffer()));
    if (!matcher) message.raise("the grammar cannot be started");
    return std::make_unique<Matcher>(std::move(matcher), tokens_);
  }
  uint32_t vocab_size() const override { return tokens_->count; }
  uint32_t end_token_id() const override { return tokens_->end; }

 private:
  GrammarPtr grammar_;
  std::shared_ptr<const Tokens> tokens_;
};

class Compiler final : public GrammarCompiler {
 public:
  Compiler(VocabularyPtr vocabulary, Tokens tokens)
      : vocabulary_(std::move(vocabulary)), tokens_(std::make_shared<const Tokens>(std::move(tokens))) {}

  std::shared_ptr<const Grammar> compile(const GrammarSource& source) const override {
    Message message;
    GrammarPtr grammar(eyrie_grammar_compile(vocabulary_.get(), kind_number(source.kind), source.text.data(), source.text.size(),
                                             source.leading_space, message.buffer()));
    if (!grammar) message.raise("the grammar cannot be compiled");
    return std::make_shared<Compiled>(std::move(grammar), tokens_);
  }

 private:
  VocabularyPtr vocabulary_;
  std::shared_ptr<const Tokens> tokens_;
};

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

void check(const GrammarVocabulary& vocabulary) {
  const std::vector<uint32_t>& ends = vocabulary.token_byte_ends;
  if (ends.empty()) refuse("tokenByteEnds is empty; grammars need a tokenizer");
  if (!std::is_sorted(ends.begin(), ends.end()) || ends.back() != vocabulary.token_bytes.size()) {
    refuse("tokenByteEnds must ascend and end with the " + std::to_string(vocabulary.token_bytes.size()) + " bytes of tokenBytes");
  }
  const auto check_id = [&](const char* field, uint32_t id) {
    if (id >= ends.size()) refuse(std::string(field) + " is " + std::to_string(id) + ", must be below " + std::to_string(ends.size()));
  };
  check_id("endTokenId", vocabulary.end_token_id);
  for (const uint32_t id : vocabulary.special_token_ids) check_id("a member of specialTokenIds", id);
}

}  // namespace

std::shared_ptr<const GrammarCompiler> open_grammar_compiler(const GrammarVocabulary& vocabulary) {
  check(vocabulary);
  const std::vector<uint32_t>& all_ends = vocabulary.token_byte_ends;
  Tokens tokens{static_cast<uint32_t>(all_ends.size()), vocabulary.end_token_id, vocabulary.special_token_ids};
  std::erase(tokens.never, tokens.end);

  // Special tokens have no bytes here, so that no text of a grammar is spelled with them.
  std::vector<bool> special(tokens.count);
  for (const uint32_t id : vocabulary.special_token_ids) special[id] = true;
  special[tokens.end] = true;
  std::string bytes;
  std::vector<uint32_t> ends;
  bytes.reserve(vocabulary.token_bytes.size());
  ends.reserve(tokens.count);
  for (uint32_t id = 0; id < tokens.count; ++id) {
    const uint32_t begin = id == 0 ? 0 : all_ends[id - 1];
    if (!special[id]) bytes.append(vocabulary.token_bytes, begin, all_ends[id] - begin);
    ends.push_back(static_cast<uint32_t>(bytes.size()));
  }

  Message message;
  VocabularyPtr opened(
      eyrie_vocabulary_open(reinterpret_cast<const uint8_t*>(bytes.data()), ends.data(), tokens.count, tokens.end, message.buffer()));
  if (!opened) message.raise("the vocabulary cannot be used for grammars");
  return std::make_shared<Compiler>(std::move(opened), std::move(tokens));
}

}  // namespace eyrie
