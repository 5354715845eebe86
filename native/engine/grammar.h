#pragma once
// What a sequence may say: a grammar over the tokens of a vocabulary, and one sequence's way through it. The library behind it
// is seen by native/grammar alone.
//
// A matcher starts with an empty text. Before each token it tells which ones may come next; it is then given the one that was
// drawn. The end token is allowed where the text is complete. Limits of effort are counted in the library's own units, not in time,
// so that a sequence's outcome does not depend on how busy the machine is.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace eyrie {

enum class GrammarKind : uint8_t {
  json_object,  ///< any JSON object; its text is empty
  json_schema,  ///< JSON that satisfies a JSON schema
  regex,        ///< matches a regular expression as a whole
  choice,       ///< one of the strings in a JSON array
  lark,         ///< a grammar in a variant of Lark's syntax
};

struct GrammarSource {
  GrammarKind kind = GrammarKind::json_object;
  std::string text;
  /// One space goes before the text: how a chat model begins its answer.
  bool leading_space = false;
};

/// Belongs to one sequence; used by one thread at a time.
class GrammarMatcher {
 public:
  virtual ~GrammarMatcher() = default;
  /// Overwrites `words` [(vocab + 31) / 32] with the tokens that may come next: bit id % 32 of word id / 32. Special tokens other than
  /// the end token are never among them. Throws invalid_request when the grammar needs more effort than allowed.
  virtual void allowed_tokens(std::span<uint32_t> words) = 0;
  /// Takes an allowed token other than the end token. True: the text is complete and nothing may follow.
  virtual bool accept(uint32_t token) = 0;
};

/// Compiled, immutable, shared by any number of sequences and threads.
class Grammar {
 public:
  virtual ~Grammar() = default;
  virtual std::unique_ptr<GrammarMatcher> start() const = 0;
  virtual uint32_t vocab_size() const = 0;
  virtual uint32_t end_token_id() const = 0;
};

/// All tokens' bytes as in EngineOptions, what is special among them, and the end token.
struct GrammarVocabulary {
  std::string token_bytes;
  std::vector<uint32_t> token_byte_ends;
  std::vector<uint32_t> special_token_ids;
  uint32_t end_token_id = 0;
};

/// Compiles for one vocabulary. Thread-safe.
class GrammarCompiler {
 public:
  virtual ~GrammarCompiler() = default;
  /// Takes milliseconds as a rule, seconds at worst. Throws invalid_request with what is wrong with the text.
  virtual std::shared_ptr<const Grammar> compile(const GrammarSource& source) const = 0;
};

/// Takes some tenths of a second. Throws invalid_request for a vocabulary that is none, unsupported_device where the build has no grammars.
std::shared_ptr<const GrammarCompiler> open_grammar_compiler(const GrammarVocabulary& vocabulary);

}  // namespace eyrie
