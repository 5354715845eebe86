#!/usr/bin/env bash
# Builds the S3 server that the contract tests use into ~/.cache/eyrie/bin and prints its path. Quick when it is there.
# Exit code 3: it cannot be built here (Go is missing or too old, or the module proxy is out of reach); the tests then skip.
set -euo pipefail

version=v1.8.0
bin="${XDG_CACHE_HOME:-$HOME/.cache}/eyrie/bin"
program="$bin/versitygw-$version"

if [[ ! -x "$program" ]]; then
  if ! command -v go >/dev/null; then
    echo "versitygw: Go is not installed; the S3 contract tests will be skipped." >&2
    exit 3
  fi
  mkdir -p "$bin"
  build="$(mktemp -d "$bin/build.XXXXXX")"
  trap 'rm -rf "$build"' EXIT
  if ! GOBIN="$build" GOFLAGS="-p=2" go install "github.com/versity/versitygw/cmd/versitygw@$version" >&2; then
    echo "versitygw: it could not be built; the S3 contract tests will be skipped." >&2
    exit 3
  fi
  mv "$build/versitygw" "$program"
fi
echo "$program"
