#!/usr/bin/env bash
# Makes this checkout ready to run: system packages, npm packages, the native addon, the compiled TypeScript. Does only what is
# missing or out of date, says what it does, and is silent and quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v node >/dev/null || fail 'Node.js is missing. Install Node.js 20.19 or newer, then run this again.'
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Node.js $(node --version) is too old. Install Node.js 20.19 or newer, then run this again."

packages=()
command -v redis-server >/dev/null || command -v valkey-server >/dev/null || packages+=(redis-server)
command -v g++ >/dev/null || command -v c++ >/dev/null || packages+=(g++)
command -v cmake >/dev/null || packages+=(cmake)
command -v ninja >/dev/null || packages+=(ninja-build)
if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    fail "Missing: ${packages[*]}. Install them with this system's package manager, then run this again."
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "Missing: ${packages[*]}. As root, run: apt-get install ${packages[*]}"
    as_root=(sudo)
  fi
  say "installing Debian packages: ${packages[*]}"
  log=$(mktemp)
  # A Redis of our own is started when needed; the package's service is not wanted. Exit 101 tells the installer so.
  if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install: ${packages[*]}. Its last lines are above."
  fi
  rm -f "$log"
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say 'installing npm packages'
  npm ci --no-progress --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

bash native/build.sh

newer_than() { [ ! -e "$1" ] || [ -n "$(find "${@:2}" -newer "$1" -type f -print -quit)" ]; }
if newer_than dist/.stamp src workers bench package.json tsconfig.json tsconfig.build.json; then
  say 'compiling TypeScript'
  node_modules/.bin/tsc -p tsconfig.build.json
  touch dist/.stamp
fi
