#!/usr/bin/env bash
# Builds libeyrie_grammar.a with Rust, into ../build-grammar. Without Rust, or when its packages cannot be had, the engine is built
# without structured output: this says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")"
archive=../build-grammar/release/libeyrie_grammar.a
[ -e "$archive" ] && [ -z "$(find src Cargo.toml Cargo.lock -newer "$archive" -print -quit)" ] && exit 0
without() { echo "setup: building without structured output (response_format, guided_*): $*" >&2; exit 0; }

command -v cargo >/dev/null || without 'cargo is missing; install Rust 1.87 or newer (https://rustup.rs), then run this again'
mkdir -p ../build-grammar
log=../build-grammar/build.log
# One try and a short wait: on a machine without a network this must not take minutes.
CARGO_NET_RETRY=1 CARGO_HTTP_TIMEOUT=20 CARGO_TERM_COLOR=never cargo build --release --locked --quiet >"$log" 2>&1 || {
  # One of another version would only look right.
  rm -f "$archive"
  tail -n 5 "$log" >&2
  without 'cargo could not build it; its last lines are above'
}
touch "$archive"
