#!/usr/bin/env bash
# Makes the CUDA toolkit in native/build-cuda-toolkit from the wheels of requirements.txt, and prints its root: the folder with
# bin/nvcc, include and lib. Quick when it is there already.
# Exit 77, with the reason, when it cannot be had on this machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/build-cuda-toolkit

cannot() {
  echo "native/cuda/toolkit/install.sh: $*" >&2
  exit 77
}

wanted=$(sha256sum <"$here/requirements.txt" | cut -d ' ' -f 1)
is_there() { [ "$(cat "$target/.stamp" 2>/dev/null)" = "$wanted" ] && [ -x "$target/root/bin/nvcc" ]; }

if ! is_there; then
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64 | Linux-aarch64) ;;
    *) cannot "there is no CUDA toolkit for $(uname -s) on $(uname -m); it needs Linux on x86-64 or 64-bit Arm" ;;
  esac
  command -v python3 >/dev/null || cannot "'python3' is missing; on Debian: apt-get install python3 python3-venv"
  python3 -c 'import venv, ensurepip' 2>/dev/null || cannot "Python's venv or pip is missing; on Debian: apt-get install python3-venv"
  echo 'native/cuda: fetching the CUDA toolkit (about 700 MB, once)' >&2
  # Two builds at a time make one toolkit.
  exec 9<"$here/requirements.txt"
  flock 9
  if ! is_there; then
    rm -rf "$target"
    python3 -m venv "$target"
    log=$target/install.log
    if ! "$target/bin/pip" install --disable-pip-version-check --no-cache-dir --retries 1 --timeout 20 --only-binary=:all: --require-hashes -r "$here/requirements.txt" >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      cannot 'pip could not fetch the wheels of native/cuda/toolkit/requirements.txt: see the lines above'
    fi
    packages=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    ln -s "${packages#"$target/"}/nvidia/cu13" "$target/root"
    ln -s "${packages#"$target/"}/nvidia/nccl" "$target/nccl"
    echo "$wanted" >"$target/.stamp"
  fi
fi
echo "$target/root"
