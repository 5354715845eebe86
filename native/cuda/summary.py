#!/usr/bin/env python3
"""A page for people from the results.jsonl of on-card.sh: are the checks green, and how near is each figure to the card's limits?

    python3 summary.py RESULTS
"""

import sys
from collections import defaultdict

sys.dont_write_bytecode = True
from ledger import items, last_checks  # noqa: E402


def table(rows):
    """Columns as wide as their widest cell."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(str(cell).rjust(width) for cell, width in zip(row, widths)) for row in rows]


def of(value, limit):
    return f"{value / limit:.2f}" if value and limit else "?"


def products(gemms):
    """Per shape and type: microseconds by rows."""
    rows = sorted({item["m"] for item in gemms})
    times = {(item["shape"], item["type"], item["m"]): item.get("us") for item in gemms}
    names = list(dict.fromkeys((item["shape"], item["type"]) for item in gemms))
    body = [[f"{shape} {type_}"] + [times.get((shape, type_, m)) or "-" for m in rows] for shape, type_ in names]
    return [["us by rows"] + rows] + body


def page(results):
    found = defaultdict(list)
    for item in items(results):
        found[item["item"]].append(item)

    for card in found["card"][-1:]:
        yield f"{card['name']}, driver {card['driver']}"
    for phase in found["phase"]:
        ended = {0: "ok", 124: "CUT OFF", 137: "CUT OFF"}.get(phase["status"], f"FAILED ({phase['status']})")
        yield f"  {phase['phase']:<10} {ended:<12} {phase['seconds']} of {phase['limit']} s"
    checks = list(last_checks(results).values())
    bad = [item["name"] for item in checks if not item["ok"]]
    yield f"checks: {len(checks) - len(bad)} of {len(checks)} hold" + (f"; FAILED: {', '.join(bad)}" if bad else "")
    for item in checks:
        if item.get("error"):
            yield f"  {item['name']}: {item['error']}"
    for item in found["failure"]:
        yield f"  {item['check']}, {item['case']}: {item['what']}"
    for item in found["sanitizer"]:
        yield f"compute-sanitizer {item['tool']}: {'clean' if item['status'] == 0 else 'status ' + str(item['status'])}"
    for item in found["error"]:
        yield f"error: {item.get('code')}: {item.get('message')}"

    for item in found["read"][-1:]:
        yield f"card memory: {item['gb_per_s']:.0f} GB/s read"
    for item in found["host_to_card"][-1:]:
        yield f"host to card: {item['gb_per_s']:.1f} GB/s"
    if found["gemm"]:
        yield from table(products(found["gemm"]))
    for item in found["bits"]:
        yield f"bits of {item['shape']} {item['type']}: one class covers {item['covered']} of {item['of']} sizes, at worst {item['worst_cost']:.2f} x the time"

    if found["decode"]:
        yield "decode"
        rows = [["layers", "type", "rows", "context", "ms", "tokens/s", "of roofline"]]
        for item in found["decode"]:
            size = [item["layers"], item["dtype"], item["batch"], item["context"]]
            if "error" in item:
                rows.append([*size, item["error"], "-", "-"])
            else:
                rows.append([*size, f"{item['step_ms']:.2f}", f"{item['tokens_per_s']:.0f}", of(item.get("roofline_ms"), item["step_ms"])])
        yield from table(rows)
    for item in found["opened"]:
        yield f"model opened in {item['open_seconds']:.1f} s, its weights made in {item['weight_seconds']:.1f} s"
    for item in found["memory"]:
        yield f"free on the card when {item['when']}: {item['free_bytes'] / 2**20:.0f} MiB"
    for item in found["offline"]:
        yield f"{item['lines']} lines of {item['prompt_tokens']}/{item['output_tokens']}: {item['output_tokens_per_s']:.0f} output tokens/s"
    for item in found["load"]:
        yield f"load: {item['gb_per_s']:.2f} GB/s"
    for item in found["slice"]:
        yield f"slice {item['dtype']} against transformers {item['reference']}: log-probabilities differ by {item['mean_difference']:.2e} on average, best token agrees in {item['agreement']:.3f}"
    ours = {(item["layers"], item["dtype"], item["batch"], item["context"]): item["step_ms"] for item in found["decode"] if "step_ms" in item}
    for item in found["baseline"]:
        if "step_ms" not in item:
            continue
        mine = ours.get((item["layers"], item["dtype"], item["batch"], item["context"]))
        ratio = f", ours is {item['step_ms'] / mine:.2f} x as fast" if mine else ""
        yield f"{item['engine']} {item['dtype']}, {item['layers']} layers, {item['batch']} rows, context {item['context']}: {item['step_ms']:.2f} ms{ratio}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    for line in page(sys.argv[1]):
        print(line)
