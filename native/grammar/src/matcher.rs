//! One sequence on its way through a grammar.

use llguidance::api::ParserLimits;
use llguidance::Matcher;
use toktrie::TokenId;

use crate::guard::message;

/// Effort, not time: a line's result must not depend on how busy the machine is.
pub fn limits() -> ParserLimits {
    ParserLimits {
        // Memory of one sequence: one to two kB each.
        max_lexer_states: 10_000,
        // The cost of a step: an object of a thousand optional members needs this many.
        max_items_in_row: 4_000,
        // The cost of compiling, which for many optional members grows with the square.
        max_grammar_size: 20_000,
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

/// Writes the tokens that may come next: bit id % 32 of word id / 32.
pub fn allowed(matcher: &mut Matcher, words: &mut [u32]) -> Result<(), String> {
    let mask = matcher.compute_mask_or_eos().map_err(|e| message(&e))?;
    words.fill(0);
    let count = words.len().min(mask.as_slice().len());
    words[..count].copy_from_slice(&mask.as_slice()[..count]);
    Ok(())
}

/// Takes a token; true when the text is complete and nothing can follow.
pub fn accept(matcher: &mut Matcher, token: TokenId) -> Result<bool, String> {
    matcher.consume_token(token).map_err(|e| message(&e))?;
    Ok(matcher.is_stopped())
}
