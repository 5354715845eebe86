#!/usr/bin/env bash
# Builds the Node addon: native/build/eyrie_native.node. Quick and silent when nothing changed; the compiler's output is shown
# only when it fails.
set -euo pipefail
cd "$(dirname "$0")"
stamp=build/.stamp
grammar=build-grammar/release/libeyrie_grammar.a
# A build without grammars is worth another look once there is Rust.
if { [ -e "$grammar" ] || ! command -v cargo >/dev/null; } && [ -e "$stamp" ] && [ -e build/eyrie_native.node ] &&
  [ -z "$(find . -path './build*' -prune -o -path ./test -prune -o -type f -newer "$stamp" -print -quit)" ]; then
  exit 0
fi
for tool in cmake ninja g++; do
  command -v "$tool" >/dev/null || { echo "native/build.sh: '$tool' is missing; on Debian: apt-get install cmake ninja-build g++" >&2; exit 1; }
done
echo 'setup: building the native addon (a few minutes the first time)' >&2
mkdir -p build
started=$(mktemp build/.started.XXXXXX)
bash grammar/build.sh
log=build/build.log
cmake --preset release --log-level=WARNING >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
cmake --build --preset release "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; exit 1; }
# The time of the start: what was changed during the build is built the next time.
mv "$started" "$stamp"
