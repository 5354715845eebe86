//! The functions of eyrie_grammar.h, which documents them. Each catches panics and reports through a buffer of the caller's.

use std::slice;

use llguidance::Matcher;

use crate::grammar::{compile, Kind};
use crate::guard::{caught, on_deep_stack};
use crate::matcher::{accept, allowed};
use crate::vocabulary::Vocabulary;

pub struct EyrieVocabulary(Vocabulary);
pub struct EyrieGrammar(Matcher);
pub struct EyrieMatcher(Matcher);

#[repr(C)]
pub struct EyrieMessage {
    text: *mut u8,
    bytes_max: usize,
}

/// Puts a message into the caller's buffer, with a closing zero, cut between characters.
unsafe fn report(message: &str, to: EyrieMessage) {
    if to.bytes_max == 0 {
        return;
    }
    let mut end = message.len().min(to.bytes_max - 1);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    std::ptr::copy_nonoverlapping(message.as_ptr(), to.text, end);
    *to.text.add(end) = 0;
}

unsafe fn boxed<T>(made: Result<T, String>, to: EyrieMessage) -> *mut T {
    match made {
        Ok(value) => Box::into_raw(Box::new(value)),
        Err(error) => {
            report(&error, to);
            std::ptr::null_mut()
        }
    }
}

unsafe fn status(done: Result<i32, String>, to: EyrieMessage) -> i32 {
    done.unwrap_or_else(|error| {
        report(&error, to);
        -1
    })
}

/// Frees what was made by `boxed`; a destructor that panics is a leak at worst.
unsafe fn free<T>(made: *mut T) {
    if !made.is_null() {
        let _ = caught(|| {
            drop(Box::from_raw(made));
            Ok(())
        });
    }
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_vocabulary_open(
    bytes: *const u8,
    ends: *const u32,
    count: u32,
    end_token: u32,
    message: EyrieMessage,
) -> *mut EyrieVocabulary {
    let open = || {
        let ends = slice::from_raw_parts(ends, count as usize);
        let bytes = slice::from_raw_parts(bytes, ends.last().copied().unwrap_or(0) as usize);
        let starts = std::iter::once(&0).chain(ends);
        let tokens = starts.zip(ends).map(|(&start, &end)| bytes[start as usize..end as usize].to_vec()).collect();
        Vocabulary::new(tokens, end_token).map(EyrieVocabulary)
    };
    boxed(caught(open), message)
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_vocabulary_free(vocabulary: *mut EyrieVocabulary) {
    free(vocabulary);
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_grammar_compile(
    vocabulary: *const EyrieVocabulary,
    kind: u32,
    text: *const u8,
    text_bytes: usize,
    leading_space: bool,
    message: EyrieMessage,
) -> *mut EyrieGrammar {
    let vocabulary = &(*vocabulary).0;
    let text = slice::from_raw_parts(text, text_bytes);
    let compiled = on_deep_stack(|| {
        let kind = Kind::from_number(kind).ok_or("an unknown kind of grammar")?;
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        compile(vocabulary, kind, text, leading_space)
    });
    boxed(compiled.map(EyrieGrammar), message)
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_grammar_free(grammar: *mut EyrieGrammar) {
    free(grammar);
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_matcher_start(grammar: *const EyrieGrammar, message: EyrieMessage) -> *mut EyrieMatcher {
    boxed(caught(|| Ok(EyrieMatcher((*grammar).0.deep_clone()))), message)
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_matcher_allowed(
    matcher: *mut EyrieMatcher,
    words: *mut u32,
    word_count: usize,
    message: EyrieMessage,
) -> i32 {
    let words = slice::from_raw_parts_mut(words, word_count);
    status(caught(|| allowed(&mut (*matcher).0, words).map(|()| 0)), message)
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_matcher_accept(matcher: *mut EyrieMatcher, token: u32, message: EyrieMessage) -> i32 {
    status(caught(|| accept(&mut (*matcher).0, token).map(i32::from)), message)
}

#[no_mangle]
pub unsafe extern "C" fn eyrie_matcher_free(matcher: *mut EyrieMatcher) {
    free(matcher);
}

/// Grammars are shared between threads, matchers move between them: checked by the compiler.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    shared::<EyrieVocabulary>();
    shared::<EyrieGrammar>();
    moved::<EyrieMatcher>();
};
