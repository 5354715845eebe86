#!/usr/bin/env bash
# Installs the clients that are not among the service's own packages: the npm client's next major version, and two major versions
# of the Python client, each in an environment of its own. Quick and silent when nothing is missing. What cannot be installed here
# is left out: the suite then skips that client and says so.
set -uo pipefail
cd "$(dirname "$0")"
cache=../../node_modules/.cache/eyrie-conformance
mkdir -p "$cache"

if [ ! -e npm-7/node_modules/.package-lock.json ] || [ npm-7/package-lock.json -nt npm-7/node_modules/.package-lock.json ]; then
  echo 'setup: installing the npm client, version 7' >&2
  (cd npm-7 && npm ci --no-progress --loglevel=error --engine-strict=false >&2 && touch node_modules/.package-lock.json)
fi

for major in 2 3; do
  requirements=python/requirements-$major.txt
  environment=$cache/python-$major
  [ "$environment/.done" -nt "$requirements" ] && continue
  command -v python3 >/dev/null || continue
  echo "setup: installing the Python client, version $major" >&2
  rm -rf "$environment"
  python3 -m venv "$environment" >&2 && "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2 &&
    touch "$environment/.done"
done
exit 0
