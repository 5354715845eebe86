#pragma once
// The C interface of the crate beside this file: grammars over a token vocabulary. Nothing unwinds out of it. Functions that can
// fail write why into `message`, one line of UTF-8 with a closing zero.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EyrieVocabulary EyrieVocabulary;
typedef struct EyrieGrammar EyrieGrammar;
typedef struct EyrieMatcher EyrieMatcher;

typedef struct EyrieMessage {
  char* text;
  size_t bytes_max;
} EyrieMessage;

enum EyrieGrammarKind {
  EYRIE_JSON_OBJECT = 0,  ///< any object; the text is not looked at
  EYRIE_JSON_SCHEMA = 1,
  EYRIE_REGEX = 2,   ///< of the whole output
  EYRIE_CHOICE = 3,  ///< a JSON array of strings
  EYRIE_LARK = 4,
};

/// `ends[id]` = end of the bytes of token `id`, which begin where those of the one before end. A token without bytes is never allowed
/// by a grammar; `end_token` is where a grammar may end. Null on failure.
EyrieVocabulary* eyrie_vocabulary_open(const uint8_t* bytes, const uint32_t* ends, uint32_t count, uint32_t end_token,
                                       EyrieMessage message);
/// Grammars and matchers made with it may live on. Null is allowed, as in the other free functions.
void eyrie_vocabulary_free(EyrieVocabulary* vocabulary);

/// `leading_space`: the output is one space and then the grammar's. Null on failure. Thread-safe.
EyrieGrammar* eyrie_grammar_compile(const EyrieVocabulary* vocabulary, uint32_t kind, const char* text, size_t text_bytes,
                                    bool leading_space, EyrieMessage message);
void eyrie_grammar_free(EyrieGrammar* grammar);

/// Thread-safe. Null on failure.
EyrieMatcher* eyrie_matcher_start(const EyrieGrammar* grammar, EyrieMessage message);
/// Overwrites `words` with the tokens that may come next: bit id % 32 of word id / 32. 0, or -1 on failure.
int32_t eyrie_matcher_allowed(EyrieMatcher* matcher, uint32_t* words, size_t word_count, EyrieMessage message);
/// Takes the next token, which must be an allowed one. 1: the output is complete and nothing can follow; 0: it goes on; -1: failure.
int32_t eyrie_matcher_accept(EyrieMatcher* matcher, uint32_t token, EyrieMessage message);
void eyrie_matcher_free(EyrieMatcher* matcher);

#ifdef __cplusplus
}
#endif
