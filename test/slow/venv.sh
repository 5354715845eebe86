# Sourced by the slow suites. venv NAME [GIB]: a virtual environment with requirements-NAME.txt, made once; prints its python.
# GIB: the disk it wants free. Fails with a reason on standard error when Python, the disk or the package index cannot be had.
venv() {
  local name=$1 gib=${2:-0} folder=node_modules/.cache/eyrie-venv/$1 wanted=test/slow/requirements-$1.txt free
  if ! cmp -s "$wanted" "$folder/installed.txt"; then
    command -v python3 >/dev/null || { echo "Python 3 is missing" >&2; return 1; }
    rm -rf "$folder"
    mkdir -p "$folder"
    free=$(($(df -Pk "$folder" | awk 'NR == 2 { print $4 }') / 1024 / 1024))
    [ "$free" -ge "$gib" ] || { echo "$wanted wants $gib GiB of free disk for its set-up; there are $free" >&2; return 1; }
    python3 -m venv "$folder" >/dev/null 2>&1 || { echo "python3 cannot make virtual environments" >&2; return 1; }
    with_uv "$folder" "$wanted" >/dev/null 2>&1 ||
      "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >/dev/null 2>&1 ||
      { rm -rf "$folder"; echo "neither uv nor pip could install $wanted" >&2; return 1; }
    cp "$wanted" "$folder/installed.txt"
  fi
  printf '%s\n' "$folder/bin/python"
}

# uv fetches several packages at once, in a small part of pip's time. Its cache lies beside what it installs, so that files are
# linked and not copied, and goes afterwards. An index that only pip was told of is left to pip.
with_uv() { # FOLDER REQUIREMENTS
  "$1/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 &&
    "$1/bin/uv" pip install --python "$1/bin/python" --cache-dir "$1/uv-cache" -r "$2" &&
    rm -rf "$1/uv-cache"
}
