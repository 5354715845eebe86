#!/usr/bin/env python3
"""The ledger of what ran on a card: verified.json holds the hash of the sources, the card, the date and the figures of the last run.

    python3 ledger.py status                   one line: verified on which card, changed since, or never run
    python3 ledger.py hash                     the hash of the sources as they are
    python3 ledger.py candidate RESULTS        from the results.jsonl of on-card.sh: a verified.json, on standard output
    python3 ledger.py lost RESULTS NAMES       the checks (among NAMES, all if empty; separated by commas) that failed for a card lost before

The hash covers what runs on a card: the sources in native/cuda and every header of ours that they include, directly or not. What takes
their place without a card (emulation, references) is left out, and so are notes, figures and scripts.
"""

import hashlib
import json
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

CUDA = Path(__file__).resolve().parent
NATIVE = CUDA.parent
LEDGER = CUDA / "verified.json"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# Kinds of items that are kept; the table of matrix products is too long for a ledger.
FIGURES = ("read", "host_to_card", "bits", "opened", "memory", "decode", "offline", "slice", "load", "baseline", "sanitizer")
SOURCES = (".cu", ".cuh", ".cc", ".h")


def runs_on_a_card(path):
    return not (path.name in ("device_host.cc", "team_host.cc") or path.name.endswith("_reference.cc") or path.is_relative_to(NATIVE / "emulation"))


def sources():
    """Sorted paths below native/."""
    waiting = [path for path in CUDA.rglob("*") if path.suffix in SOURCES]
    found = set()
    while waiting:
        path = waiting.pop()
        if path in found or not runs_on_a_card(path):
            continue
        found.add(path)
        for name in INCLUDE.findall(path.read_text()):
            for base in (NATIVE, path.parent):
                if (base / name).is_file():
                    waiting.append((base / name).resolve())
                    break
    return sorted(found | {CUDA / "CMakeLists.txt"})


def source_hash():
    whole = hashlib.sha256()
    for path in sources():
        data = path.read_bytes()
        whole.update(f"{path.relative_to(NATIVE).as_posix()} {len(data)}\n".encode() + data)
    return whole.hexdigest()


def status():
    ledger = json.loads(LEDGER.read_text())
    if ledger["date"] is None:
        return "CUDA backend: never run on a card; compiled and emulated only"
    ran = f"{ledger['card']} on {ledger['date']}"
    if not ledger["passed"]:
        return f"CUDA backend: FAILED its checks on {ran}"
    if ledger["source"] != source_hash():
        return f"CUDA backend: changed since it was verified on {ran}"
    return f"CUDA backend: verified on {ran}"


def items(results):
    for line in Path(results).read_text(errors="replace").splitlines():
        try:
            item = json.loads(line)
        except ValueError:
            continue  # cut off by a time limit
        if isinstance(item, dict) and "item" in item:
            yield item


def last_checks(results):
    """By name, in the order in which they ran first. Of a check that ran again the later result counts."""
    return {item["name"]: item for item in items(results) if item["item"] == "check"}


def lost(results, names):
    """The first of them has lost the card itself; the others did not get to run."""
    checks = last_checks(results)
    gone = [name for name in (names or checks) if checks.get(name, {}).get("error", "").startswith("engine_closed")]
    return gone[1:]


def candidate(results):
    """Passed: checks ran, none failed, and neither the build nor the checks were cut off."""
    card = driver = None
    checks = [item["ok"] for item in last_checks(results).values()]
    phases, figures = {}, {}
    for item in items(results):
        kind = item["item"]
        if kind == "card":
            card, driver = item["name"], item["driver"]
        elif kind == "phase":
            phases[item["phase"]] = item["status"]
        elif kind in FIGURES:
            figures.setdefault(kind, []).append({key: value for key, value in item.items() if key != "item"})
    return {
        "source": source_hash(),
        "card": card,
        "driver": driver,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "passed": bool(checks) and all(checks) and all(phases.get(name) == 0 for name in ("build", "check")),
        "checks": {"passed": sum(checks), "of": len(checks)},
        "phases": phases,
        "figures": figures,
    }


def main(arguments):
    if arguments == ["status"]:
        print(status())
    elif arguments == ["hash"]:
        print(source_hash())
    elif len(arguments) == 2 and arguments[0] == "candidate":
        print(json.dumps(candidate(arguments[1]), indent=2))
    elif len(arguments) == 3 and arguments[0] == "lost":
        print(",".join(lost(arguments[1], [name for name in arguments[2].split(",") if name])))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
