#!/usr/bin/env bash
# Formats the native code by .clang-format. `--check` changes nothing and fails, naming the places, where something would change.
set -euo pipefail
cd "$(dirname "$0")"
version=19.1.7 # another version formats some lines otherwise
venv=build-format
if [ "$("$venv/bin/clang-format" --version 2>/dev/null | grep -o "$version")" != "$version" ]; then
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "clang-format==$version" || {
    echo "native/format.sh: clang-format $version cannot be installed from PyPI; it needs python3-venv and pip" >&2
    exit 77
  }
fi
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)
git ls-files -z --cached --others --exclude-standard '*.cc' '*.h' '*.cu' | xargs -0 "$venv/bin/clang-format" "${mode[@]}"
