#!/usr/bin/env bash
# lm-eval through the API against lm-eval's own `hf` model of the same checkpoint. Its set-up takes 6 GB, as PyPI has PyTorch only
# together with what it needs on a GPU. Exit 77: skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/slow/venv.sh
venv lm-eval 10 >/dev/null || exit 77
exec node test/run.mjs lm-eval
