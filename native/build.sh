#!/usr/bin/env bash
# Builds the Node addon: native/build/eyrie_native.node. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")"
for tool in cmake ninja g++; do
  command -v "$tool" >/dev/null || { echo "native/build.sh: '$tool' is missing; on Debian: apt-get install cmake ninja-build g++" >&2; exit 1; }
done
cmake --preset release --log-level=WARNING >/dev/null
cmake --build --preset release "$@"
