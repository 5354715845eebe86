#!/usr/bin/env bash
# Builds the Node addon: native/build/eyrie_native.node. Quick and silent when nothing changed; the compiler's output is shown
# only when it fails.
set -euo pipefail
cd "$(dirname "$0")"
for tool in cmake ninja g++; do
  command -v "$tool" >/dev/null || { echo "native/build.sh: '$tool' is missing; on Debian: apt-get install cmake ninja-build g++" >&2; exit 1; }
done
mkdir -p build
log=build/build.log
cmake --preset release --log-level=WARNING >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
if [[ $(cmake --build --preset release -- -n) != *'no work to do'* ]]; then
  echo 'setup: building the native addon' >&2
fi
cmake --build --preset release "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; exit 1; }
