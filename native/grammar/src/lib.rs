//! Grammars over a token vocabulary, by llguidance. `c_interface` is all that the C++ side sees (eyrie_grammar.h).

mod c_interface;
mod grammar;
mod guard;
mod matcher;
mod vocabulary;
