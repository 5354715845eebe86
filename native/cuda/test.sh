#!/usr/bin/env bash
# The tests around the CUDA backend that need no card: the scripts, then the build for all kinds of cards and what it has made. Exit 77, with the
# reason, where the toolkit cannot be had (the scripts were tested then).
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 native/test/gpu/scripts_test.py
bash native/cuda/build.sh
python3 native/test/gpu/build_test.py native/build-cuda
python3 native/cuda/ledger.py status
