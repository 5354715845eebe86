#!/usr/bin/env bash
# The native tests under AddressSanitizer and UndefinedBehaviorSanitizer. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")"
cmake --preset sanitize --log-level=WARNING >/dev/null
cmake --build --preset sanitize
ctest --preset sanitize "$@"
