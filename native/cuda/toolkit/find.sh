#!/usr/bin/env bash
# Finds the CUDA toolkit of this machine without fetching anything, and prints three lines: the compiler, the folders of headers and the
# folders of libraries, each list joined by ';'. cuBLASLt may lie beside the compiler or in the wheels that PyTorch brings.
# Exit 77, with the reason, when something is missing.
set -uo pipefail

cannot() {
  echo "native/cuda/toolkit/find.sh: $*" >&2
  exit 77
}

first_with() { # FILE FOLDER...
  local file=$1 folder
  shift
  for folder in "$@"; do
    [ -e "$folder/$file" ] && { echo "$folder" && return 0; }
  done
  return 1
}

if [ -n "${EYRIE_CUDA_ROOT:-}" ]; then
  nvcc=$EYRIE_CUDA_ROOT/bin/nvcc
  [ -x "$nvcc" ] || cannot "EYRIE_CUDA_ROOT is '$EYRIE_CUDA_ROOT', but there is no bin/nvcc in it; name the root of a CUDA 13 toolkit, or unset it"
else
  nvcc=$(command -v nvcc) || nvcc=$(first_with nvcc /usr/local/cuda/bin /usr/local/cuda-13*/bin)/nvcc
  [ -x "$nvcc" ] || cannot "there is no nvcc on the PATH or in /usr/local/cuda; name the toolkit's root with EYRIE_CUDA_ROOT, or build with the wheels: bash native/cuda/build.sh"
fi
release=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
[ "$release" = 13 ] || cannot "$nvcc is of CUDA '$release'; CUDA 13 is needed"

root=$(cd "$(dirname "$(readlink -f "$nvcc")")/.." && pwd)
mapfile -t wheels < <(python3 -c '
import importlib.util
spec = importlib.util.find_spec("nvidia")
for folder in spec.submodule_search_locations if spec else []:
    print(folder + "/cu13")
' 2>/dev/null)
# Where the wheels lie and where a system package or a runfile puts the same things.
folders=("$root" "$root"/targets/*-linux "${wheels[@]}")
includes=("${folders[@]/%//include}" /usr/include)
libraries=("${folders[@]/%//lib64}" "${folders[@]/%//lib}" /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu)

headers=$(first_with cuda_runtime.h "${includes[@]}") || cannot "there is no cuda_runtime.h for $nvcc in: ${includes[*]}"
static=$(first_with libcudart_static.a "${libraries[@]}") || cannot "there is no libcudart_static.a for $nvcc in: ${libraries[*]}"
lt_headers=$(first_with cublasLt.h "${includes[@]}") || cannot "there is no cublasLt.h in: ${includes[*]}; install cuBLAS of CUDA 13"
lt=$(first_with libcublasLt.so.13 "${libraries[@]}") || cannot "there is no libcublasLt.so.13 in: ${libraries[*]}; install cuBLAS of CUDA 13"

echo "$nvcc"
echo "$headers;$lt_headers"
echo "$static;$lt"
