#!/usr/bin/env bash
# The unmodified PyPI client "openai" against a running service. conformance.sh MAJOR. Exit 77: skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/slow/venv.sh
python=$(venv "openai-$1") || exit 77
exec node test/slow/with-service.mjs "$python" test/slow/conformance.py
