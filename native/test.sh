#!/usr/bin/env bash
# Builds and runs the native tests. Arguments go to ctest, e.g. -R linear.
set -euo pipefail
cd "$(dirname "$0")"
bash grammar/build.sh
cmake --preset test --log-level=WARNING >/dev/null
cmake --build --preset test
ctest --preset test "$@"
