#!/usr/bin/env bash
# Schemathesis against /openapi.json of a running service: no 5xx, no answer that its schema does not know. Exit 77: skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/slow/venv.sh
python=$(venv schemathesis) || exit 77
st=$PWD/$(dirname "$python")/schemathesis
# Not asked for: that everything of a fitting form is taken. A schema cannot say that a cursor must name something that is there, or
# that a token id must be one of this model's.
exec node test/slow/with-service.mjs bash -c '
  cd node_modules/.cache # where it keeps what it learned of earlier runs
  exec "$0" run "${EYRIE_URL%/v1}/openapi.json" -H "Authorization: Bearer $EYRIE_KEY" --phases examples,coverage,fuzzing \
    --max-examples "${EYRIE_SLOW_EXAMPLES:-10}" --exclude-checks positive_data_acceptance \
    --suppress-health-check all --generation-deterministic --request-timeout 30 --no-color' "$st"
