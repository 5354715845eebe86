// The build without Rust: everything works but grammars.

#include "engine/grammar.h"
#include "error.h"

namespace eyrie {

std::shared_ptr<const GrammarCompiler> open_grammar_compiler(const GrammarVocabulary&) {
  throw Error(ErrorCode::unsupported_device,
              "this build has no structured output; install Rust 1.87 or newer (https://rustup.rs) and build again: npm run build:native");
}

}  // namespace eyrie
