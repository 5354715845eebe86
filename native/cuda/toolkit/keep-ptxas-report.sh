#!/usr/bin/env bash
# Runs a compiler command and keeps what ptxas tells of each kernel (registers, spills) beside the object; registers.py reads it.
# What else the compiler says is shown.
set -uo pipefail
object='' previous=''
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
"$@" 2>"$object.ptxas"
status=$?
if [ "$status" -ne 0 ]; then
  cat "$object.ptxas" >&2
else
  grep -Ev '^ptxas info|^ +[0-9]+ bytes stack frame' "$object.ptxas" >&2
fi
exit "$status"
