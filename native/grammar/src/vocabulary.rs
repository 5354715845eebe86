//! The tokens a grammar may use, by their bytes.

use llguidance::ParserFactory;
use toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenId};

use crate::guard::message;
use crate::matcher::limits;

pub struct Vocabulary {
    factory: ParserFactory,
}

impl Vocabulary {
    /// `tokens[id]` = bytes of the token; no bytes = no grammar allows it. `end` ends a sequence where the grammar may end.
    pub fn new(mut tokens: Vec<Vec<u8>>, end: TokenId) -> Result<Self, String> {
        let info = TokRxInfo {
            vocab_size: u32::try_from(tokens.len()).map_err(|e| message(&e))?,
            tok_eos: end,
            tok_bos: None,
            tok_pad: None,
            tok_unk: None,
            tok_end_of_turn: None,
        };
        for token in &mut tokens {
            // The library reads this byte as the mark of a special token. No valid UTF-8 has it.
            if token.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
                token.clear();
            }
        }
        let trie = TokTrie::from(&info, &tokens);
        let environment: TokEnv = std::sync::Arc::new(ApproximateTokEnv::new(trie));
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory =
            ParserFactory::new(&environment, InferenceCapabilities::default(), &slices).map_err(|e| message(&e))?;
        factory.quiet();
        *factory.limits_mut() = limits();
        Ok(Self { factory })
    }

    pub fn factory(&self) -> &ParserFactory {
        &self.factory
    }
}
