//! From the text of a request to a compiled grammar.

use llguidance::api::{GrammarWithLexer, StopReason, TopLevelGrammar};
use llguidance::{regex_to_lark, JsonCompileOptions, Matcher};
use serde_json::{json, Value};

use crate::guard::message;
use crate::vocabulary::Vocabulary;

/// Numbers as in eyrie_grammar.h.
#[derive(Clone, Copy)]
pub enum Kind {
    JsonObject,
    JsonSchema,
    Regex,
    Choice,
    Lark,
}

impl Kind {
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::JsonObject, Self::JsonSchema, Self::Regex, Self::Choice, Self::Lark].get(number as usize).copied()
    }
}

/// At most one blank, and only behind a comma or a colon: a model that likes blanks cannot go on with them for ever, and both usual
/// ways to write JSON on one line remain possible.
fn json_options() -> JsonCompileOptions {
    JsonCompileOptions {
        item_separator: ", ?".into(),
        key_separator: ": ?".into(),
        whitespace_flexible: false,
        ..JsonCompileOptions::default()
    }
}

fn from_schema(mut schema: Value) -> Result<GrammarWithLexer, String> {
    if schema == Value::Bool(true) {
        schema = json!({});
    }
    if !schema.is_object() {
        return Err("a schema must be an object".into());
    }
    json_options().apply_to(&mut schema);
    Ok(GrammarWithLexer::from_json_schema(schema))
}

/// A constraint matches the whole text, so anchors around it say nothing new; the library has none.
fn without_anchors(regex: &str) -> &str {
    let regex = regex.strip_prefix('^').unwrap_or(regex);
    match regex.strip_suffix('$') {
        Some(body) if body.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 0 => body,
        _ => regex,
    }
}

/// Classes such as `\d` are those of ASCII: what they match here, every other dialect matches too.
fn from_regex(regex: &str) -> GrammarWithLexer {
    GrammarWithLexer::from_lark(format!("start: /{}/", regex_to_lark(regex, "dws")))
}

fn from_choice(text: &str) -> Result<GrammarWithLexer, String> {
    let choices: Vec<String> = serde_json::from_str(text).map_err(|e| message(&e))?;
    let escaped: Vec<String> = choices.iter().map(|choice| regex_syntax::escape(choice)).collect();
    Ok(from_regex(&escaped.join("|")))
}

fn body(kind: Kind, text: &str) -> Result<GrammarWithLexer, String> {
    match kind {
        Kind::JsonObject => from_schema(json!({"type": "object"})),
        Kind::JsonSchema => from_schema(serde_json::from_str(text).map_err(|e| message(&e))?),
        Kind::Regex => Ok(from_regex(without_anchors(text))),
        Kind::Choice => from_choice(text),
        Kind::Lark => Ok(GrammarWithLexer::from_lark(text.into())),
    }
}

fn behind_a_space(body: GrammarWithLexer) -> TopLevelGrammar {
    let mut outer = GrammarWithLexer::from_lark("start: \" \" @body".into());
    outer.name = Some("outer".into());
    let grammars = vec![outer, GrammarWithLexer { name: Some("body".into()), ..body }];
    TopLevelGrammar { grammars, max_tokens: None }
}

fn explained(kind: Kind, error: &dyn std::fmt::Display) -> String {
    let text = message(error);
    if text.starts_with(&StopReason::NoExtensionBias.to_string()) {
        return "no text satisfies it".into();
    }
    if let Some(panic) = text.strip_prefix("panic: ") {
        return format!("the grammar library failed on it: {panic}");
    }
    // A place in the grammar that was made here would tell the user nothing.
    match text.strip_prefix("at ").and_then(|rest| rest.split_once("): ")) {
        Some((_, what)) if !matches!(kind, Kind::Lark) => what.into(),
        _ => text,
    }
}

/// A matcher at the start of the grammar, to be cloned for each sequence. Every clone of it spends the same effort on the same
/// tokens, so that the limits fall where they fall whatever else was generated.
pub fn compile(vocabulary: &Vocabulary, kind: Kind, text: &str, leading_space: bool) -> Result<Matcher, String> {
    let body = body(kind, text)?;
    let grammar = if leading_space { behind_a_space(body) } else { TopLevelGrammar::from_grammar(body) };
    let mut matcher = Matcher::new(vocabulary.factory().create_parser(grammar));
    if let Some(error) = matcher.get_error() {
        return Err(explained(kind, &error));
    }
    // Some grammars have no text at all. The first mask is needed for each sequence anyway, and clones inherit it.
    match matcher.compute_mask_or_eos() {
        Ok(_) => Ok(matcher),
        Err(error) => Err(explained(kind, &error)),
    }
}
