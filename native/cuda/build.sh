#!/usr/bin/env bash
# Builds the CUDA backend in native/build-cuda: libeyrie_cuda.so and eyrie_gpu. No card is needed.
#
#   --arch all|native|sm_NN   kinds of cards to compile for (all: sm_80, sm_90, sm_100; native: the card of this machine)
#   --toolkit wheels|machine  fetch the pinned toolkit (the default), or take the one that this machine has, or EYRIE_CUDA_ROOT
#   --build FOLDER            another build folder
#   --jobs N                  compilers at a time (default: one per processor)
#   --warnings fail|show      whether a warning ends the build (the default) or is only shown: another g++ has warnings of its own
#   --registers check|update|skip   compare what ptxas told with native/cuda/registers.json (the default), or write it there
#
# Exit 77, with the reason, when a toolkit cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arch=all toolkit=${EYRIE_CUDA_ROOT:+machine} build=$here/../build-cuda jobs=$(nproc) registers=check warnings=fail

usage() {
  sed -n '2,/^set/p' "$here/build.sh" | sed '$d; s/^# \{0,1\}//' >&2
  echo "native/cuda/build.sh: $*" >&2
  exit 2
}
toolkit=${toolkit:-wheels}
while [ $# -gt 0 ]; do
  case $1 in
    --arch | --toolkit | --build | --jobs | --registers | --warnings) [ $# -ge 2 ] || usage "'$1' needs a value" ;;&
    --arch) arch=$2 && shift ;;
    --toolkit) toolkit=$2 && shift ;;
    --build) build=$2 && shift ;;
    --jobs) jobs=$2 && shift ;;
    --registers) registers=$2 && shift ;;
    --warnings) warnings=$2 && shift ;;
    *) usage "unknown argument '$1'" ;;
  esac
  shift
done
case $arch in
  all) architectures='80;90-real;100-real' ;;
  # By the driver's word: CMake's own `native` has to run a program first.
  native)
    capability=$(timeout 20 nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. \r') || capability=''
    architectures=native
    [[ ! $capability =~ ^[0-9]+$ ]] || architectures=$capability-real
    ;;
  sm_[0-9]*) architectures=${arch#sm_}-real ;;
  *) usage "--arch is '$arch', but must be all, native or sm_NN, e.g. sm_90" ;;
esac
case $warnings in
  fail) warnings_fail=ON ;;
  show) warnings_fail=OFF ;;
  *) usage "--warnings is '$warnings', but must be fail or show" ;;
esac
case $registers in check | update | skip) ;; *) usage "--registers is '$registers', but must be check, update or skip" ;; esac

for tool in cmake ninja g++; do
  command -v "$tool" >/dev/null || { echo "native/cuda/build.sh: '$tool' is missing; on Debian: apt-get install cmake ninja-build g++" >&2 && exit 77; }
done
nccl=''
case $toolkit in
  wheels)
    root=$(bash "$here/toolkit/install.sh")
    nvcc=$root/bin/nvcc includes=$root/include libraries=$root/lib
    [ -d "$root/../nccl" ] && nccl=$(cd "$root/../nccl" && pwd)
    ;;
  machine)
    found=$(bash "$here/toolkit/find.sh")
    { read -r nvcc && read -r includes && read -r libraries; } <<<"$found"
    ;;
  *) usage "--toolkit is '$toolkit', but must be wheels or machine" ;;
esac

mkdir -p "$build"
log=$build/configure.log
cmake -S "$here" -B "$build" -G Ninja -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES="$architectures" \
  -DEYRIE_CUDA_INCLUDES="$includes" -DEYRIE_CUDA_LIBRARIES="$libraries" -DEYRIE_NCCL_ROOT="$nccl" -DEYRIE_WARNINGS_FAIL=$warnings_fail >"$log" 2>&1 || { tail -n 40 "$log" >&2 && exit 1; }
log=$build/build.log
cmake --build "$build" -j "$jobs" >"$log" 2>&1 || { tail -n 60 "$log" >&2 && exit 1; }
[ "$registers" = skip ] || python3 "$here/toolkit/registers.py" "$registers" "$build"
