#!/usr/bin/env bash
# The CUDA backend compiled by g++ and run on the CPU, see emulation/README.md. Without arguments all phases, or those that are named:
#
#   plain      the tests in several orders of blocks and threads: EYRIE_EMULATION_SEEDS, default "1 2"
#   late       the tests with streams that run nothing before somebody waits for it
#   demo       the demo model on the emulated card, from Node; needs node_modules, and builds the addon
#   sanitize   the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   mutants    one line broken at a time, each must make a test fail
#
# All tests run with the first seed; the others, late streams and the sanitizers leave the slowest out, unless EYRIE_EMULATION_LONG=1.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- plain late demo sanitize mutants

build() { # preset
  bash grammar/build.sh
  cmake --preset "$1" --log-level=WARNING >/dev/null
  cmake --build --preset "$1"
}

# Whole models in long passes: minutes each under the sanitizers.
slowest='*GoldenOnACard.*:*GivesTheSameBytesInAnyCompany*:RanksTest.GiveTheSameBytesInAnyCompany:Sampler.DrawsTheIdsOfTheCpuFromFullVocabularies'

run() { # build folder, `all` or `quick`
  local suite filter=${EYRIE_EMULATION_FILTER:-*}
  if [ "$2" = quick ] && [ -z "${EYRIE_EMULATION_LONG:-}" ]; then filter="$filter-$slowest"; fi
  for suite in emulation cuda; do
    compgen -G "test/$suite/*_test.c[cu]" >/dev/null || continue # an old program may still be there
    if ! "$1/test_$suite" --gtest_brief=1 --gtest_filter="$filter"; then
      echo "native/emulate.sh: test_$suite failed with EYRIE_EMULATION_SEED=$EYRIE_EMULATION_SEED EYRIE_EMULATION_STREAMS=${EYRIE_EMULATION_STREAMS:-}" >&2
      return 1
    fi
  done
  # Not for mutants, whose copy of the tree has no program.
  [ "$2" = quick ] || [ ! -x "$1/gpu/eyrie_gpu" ] || python3 test/gpu/commands_test.py "$1/gpu/eyrie_gpu"
}

for phase in "$@"; do
  echo "--- $phase"
  case $phase in
    plain)
      build emulate
      extent=all
      for seed in ${EYRIE_EMULATION_SEEDS:-1 2}; do
        EYRIE_EMULATION_SEED=$seed run build-test $extent
        extent=quick
      done
      ;;
    late)
      build emulate
      EYRIE_EMULATION_SEED=4 EYRIE_EMULATION_STREAMS=late run build-test quick
      ;;
    demo)
      build emulate
      [ -n "${EYRIE_NATIVE_ADDON:-}" ] || bash build.sh
      # Takes about two minutes of CPU time.
      (cd .. && timeout 900 node_modules/.bin/vitest run test/native/cuda-emulated)
      ;;
    sanitize)
      build emulate-sanitize
      EYRIE_EMULATION_SEED=5 run build-sanitize quick
      ;;
    mutants)
      build emulate
      python3 emulation/mutants/run.py build-test
      ;;
    *)
      echo "native/emulate.sh: there is no phase '$phase', but plain, late, demo, sanitize and mutants" >&2
      exit 2
      ;;
  esac
done
