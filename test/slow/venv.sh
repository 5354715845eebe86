# Sourced by the slow suites. venv NAME: a virtual environment with requirements-NAME.txt, made once; prints its python.
# Fails with a reason on standard error when Python or the package index cannot be had.
venv() {
  local name=$1 folder=node_modules/.cache/eyrie-venv/$1 wanted=test/slow/requirements-$1.txt
  if ! cmp -s "$wanted" "$folder/installed.txt"; then
    command -v python3 >/dev/null || { echo "Python 3 is missing" >&2; return 1; }
    rm -rf "$folder"
    python3 -m venv "$folder" >/dev/null 2>&1 || { echo "python3 cannot make virtual environments" >&2; return 1; }
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >/dev/null 2>&1 ||
      { echo "pip could not install $(tr '\n' ' ' <"$wanted")" >&2; return 1; }
    cp "$wanted" "$folder/installed.txt"
  fi
  printf '%s\n' "$folder/bin/python"
}
