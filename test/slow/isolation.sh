#!/usr/bin/env bash
# One tenant attacks, another must not feel it: over a folder and over a real S3 server; then much at once by three tenants of unlike
# weights. EYRIE_ISOLATION_SECONDS=30 gives each attack that time, and makes all of them over both stores. Exit 77: skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v redis-server >/dev/null || command -v valkey-server >/dev/null ||
  { echo 'neither redis-server nor valkey-server is on the PATH' >&2; exit 77; }
[ -e dist/src/http/main.js ] || { echo 'the programs are not compiled: npm run build' >&2; exit 77; }
exec node test/run.mjs isolation
