#!/usr/bin/env bash
# The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, then the tests of the addon inside Node with the same
# build. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")"
bash grammar/build.sh
cmake --preset sanitize --log-level=WARNING >/dev/null
cmake --build --preset sanitize
ctest --preset sanitize "$@"

# Node is not built with the sanitizers, so their runtimes must be loaded before it. Leaks are not looked for here: Node keeps much
# until it exits, and the tests count what our side keeps. A small quarantine keeps those counts honest.
cd ..
runtimes="$(c++ -print-file-name=libasan.so):$(c++ -print-file-name=libubsan.so)"
EYRIE_NATIVE_ADDON="$PWD/native/build-sanitize/eyrie_native.node" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8 \
  LD_PRELOAD="$runtimes" node node_modules/vitest/vitest.mjs run test/native
