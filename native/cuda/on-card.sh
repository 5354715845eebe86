#!/usr/bin/env bash
# What a card can tell, from a bare source tree, in under nine minutes: builds for the card at hand, checks every operation against its
# twin on the CPU, measures, and compares with PyTorch and transformers. Nothing is fetched.
#
#   bash native/cuda/on-card.sh [--dry-run] [PHASE...]       all phases, or those named; --dry-run prints them with their limits
#
# Needs: nvcc and cuBLASLt of CUDA 13 (of the machine, or of PyTorch's wheels), g++, cmake, ninja; for some phases Python with torch and
# transformers, compute-sanitizer, ncu. A phase that fails or is cut off does not stop the next ones. In the folder $OUT (default:
# native/build-cuda-card/out) it leaves results.jsonl (one JSON object per item), log.txt, summary.txt and verified.json, the entry for
# the ledger.
set -uo pipefail
cd "$(dirname "$0")/../.."

# Phase and its limit in seconds, the cheapest and most telling first.
phases='facts 15
build 110
check 30
lab 50
slice 75
sweep 80
baseline 85
sanitize 60
profile 35'
limit_all=540

build=$PWD/native/build-cuda-card
export EYRIE_GPU=$build/eyrie_gpu
export OUT=${OUT:-$build/out}

# Runs a command for so many seconds at most. What it has started and left behind is ended with it: a process that does not heed the first
# signal would else keep the card.
limited() { # SECONDS COMMAND...
  local group status
  timeout -k 3 "$@" &
  group=$!
  wait "$group"
  status=$?
  kill -KILL -- "-$group" 2>/dev/null
  return "$status"
}

phase_facts() {
  nvidia-smi | head -n 15 >&2
  bash native/cuda/toolkit/find.sh >&2
  EYRIE_SOURCE=$(python3 native/cuda/ledger.py hash) python3 - <<'PYTHON'
import json, os, shutil, subprocess

def told(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"

def package(name):
    import importlib.metadata as m
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None

print(json.dumps({
    "item": "machine",
    "card": told("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit,compute_cap", "--format=csv,noheader"),
    "nvcc": told("nvcc", "--version").splitlines()[-1:],
    "processors": os.cpu_count(),
    "disk_free_gb": round(shutil.disk_usage(".").free / 1e9),
    **{name: package(name) for name in ("torch", "transformers", "safetensors")},
    "source": os.environ["EYRIE_SOURCE"],
}))
PYTHON
}

phase_build() { bash native/cuda/build.sh --toolkit machine --arch native --build "$(dirname "$EYRIE_GPU")" --registers skip --warnings show >&2; }

# A check that loses the card fails all that follow in its process: those run again in another one.
phase_check() {
  "$EYRIE_GPU" facts || return
  local status=0 rest=''
  while :; do
    "$EYRIE_GPU" check ${rest:+--only "$rest"} || status=$?
    rest=$(python3 native/cuda/ledger.py lost "$OUT/now.txt" "$rest") && [ -n "$rest" ] || return "$status"
  done
}

phase_lab() { "$EYRIE_GPU" lab; }

phase_slice() { python3 native/cuda/baseline/slice.py --program "$EYRIE_GPU"; }

phase_sweep() {
  "$EYRIE_GPU" sweep --form 40b --dtype fp8 && return
  local status=$?
  "$EYRIE_GPU" sweep --form 40b --dtype int8 # rather than nothing
  return "$status"
}

# The same layers on the same card, ours last: a card that has grown warm is slower.
phase_baseline() {
  python3 native/cuda/baseline/torch_decode.py --layers 12 --batch 128,256 --context 512
  local torch=$?
  "$EYRIE_GPU" sweep --form 40b --layers 12 --dtype fp8 --batch 128,256 --context 512 --lines 0 && return "$torch"
}

# Our kernels alone: those of cuBLASLt would take minutes, and what its calls try is not ours to judge. No initcheck: `check` writes to all
# memory that it is given (NaN), so that there would be nothing to find.
phase_sanitize() {
  local tool status=0 each
  for tool in memcheck racecheck synccheck; do
    limited 16 compute-sanitizer --tool "$tool" --kernel-name kns=eyrie --report-api-errors no --error-exitcode 1 "$EYRIE_GPU" check --small >&2
    each=$?
    printf '{"item":"sanitizer","tool":"%s","status":%d}\n' "$tool" "$each"
    [ "$each" -eq 0 ] || status=1
  done
  return "$status"
}

phase_profile() {
  ncu --clock-control none --section SpeedOfLight --section LaunchStats --launch-count 40 --csv --page raw \
    --log-file "$OUT/ncu.csv" --kernel-name 'regex:attend|norm|gelu|finish|draw' \
    "$EYRIE_GPU" sweep --form 40b --layers 1 --dtype fp8 --batch 128 --context 512 --steps 2 --lines 0 >/dev/null # its times mean nothing here
}

fail() {
  echo "native/cuda/on-card.sh: $*" >&2
  exit 2
}

dry='' chosen=''
for word in "$@"; do
  if [ "$word" = --dry-run ]; then
    dry=1
  elif [ "$word" = --help ] || [ "$word" = -h ]; then
    sed -n '2,/^set/p' native/cuda/on-card.sh | sed '$d; s/^# \{0,1\}//'
    exit 0
  elif grep -q "^$word " <<<"$phases"; then
    chosen+="$word "
  else
    fail "unknown phase or option '$word'; the phases are $(cut -d ' ' -f 1 <<<"$phases" | tr '\n' ' '); the options --dry-run and --help"
  fi
done

sum=0 todo=()
while read -r name limit; do
  [ -z "$chosen" ] || [[ " $chosen" == *" $name "* ]] || continue
  todo+=("$name $limit")
  sum=$((sum + limit))
done <<<"$phases"
[ "$sum" -le "$limit_all" ] || fail "the limits add up to $sum s, at most $limit_all are allowed"
if [ -n "$dry" ]; then
  printf '%-10s %4d s\n' $(printf '%s\n' "${todo[@]}")
  printf '%-10s %4d s of at most %d\n' sum "$sum" "$limit_all"
  exit 0
fi

mkdir -p "$OUT"
results=$OUT/results.jsonl
: >"$results"
: >"$OUT/log.txt"
export -f limited $(compgen -A function phase_)
for entry in "${todo[@]}"; do
  read -r name limit <<<"$entry"
  echo "== $name, at most $limit s" | tee -a "$OUT/log.txt"
  printf '{"item":"begin","phase":"%s"}\n' "$name" >>"$results"
  started=$(date +%s.%N) before=$(wc -l <"$OUT/log.txt")
  # To a file and not through a pipe, which whoever is left behind would keep open.
  limited "$limit" bash -c "set -uo pipefail; phase_$name" >"$OUT/now.txt" 2>>"$OUT/log.txt"
  status=$?
  # What is not JSON on standard output is for people.
  grep '^{' "$OUT/now.txt" >>"$results"
  grep -v '^{' "$OUT/now.txt" >>"$OUT/log.txt"
  rm "$OUT/now.txt"
  seconds=$(python3 -c "import time; print(f'{time.time() - $started:.1f}')")
  printf '{"item":"phase","phase":"%s","status":%d,"seconds":%s,"limit":%d}\n' "$name" "$status" "$seconds" "$limit" >>"$results"
  [ "$status" -eq 0 ] || { echo "   ended with $status$([ "$status" -eq 124 ] && echo ' (cut off)'); its last lines:" && tail -n "+$((before + 1))" "$OUT/log.txt" | tail -n 12 | sed 's/^/   | /'; }
done

python3 native/cuda/ledger.py candidate "$results" >"$OUT/verified.json"
python3 native/cuda/summary.py "$results" | tee "$OUT/summary.txt"
