#!/usr/bin/env bash
# The official clients against a running service: npm and PyPI, two major versions each. A client that cannot be installed here is
# skipped, with its reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/slow/venv.sh
npm7=test/conformance/npm-7
if [ ! -e $npm7/node_modules/.package-lock.json ] || [ $npm7/package-lock.json -nt $npm7/node_modules/.package-lock.json ]; then
  (cd $npm7 && npm ci --no-progress --loglevel=error --engine-strict=false >&2 && touch node_modules/.package-lock.json) ||
    echo 'the npm client 7 could not be installed' >&2
fi
for major in 2 3; do venv "openai-$major" >/dev/null || true; done
exec node test/run.mjs conformance
