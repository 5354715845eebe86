#!/usr/bin/env python3
"""The table of what each kernel needs of a card: registers.json holds, per kernel and architecture, the most registers, bytes of static
shared memory and bytes of stack it may use. No kernel may spill.

    python3 registers.py check BUILD     compares what ptxas told in the build folder with the table; exit 1 with a line per difference
    python3 registers.py update BUILD    writes the table from it

A limit is the registers used, rounded up to what the card allots (8 at a time): a change below costs nothing and is no difference.
Architectures that the build did not compile for are left alone.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "registers.json"
NATIVE = TABLE.parent.parent
UNIT = 8
ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\w+)'")
MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(.*)")
SHARED = re.compile(r"(\d+) bytes smem")


def reports(build):
    """The text of each report whose source still exists: an old build folder may hold more."""
    for file in sorted(Path(build).rglob("*.cu.o.ptxas")):
        # CMake names an object by its source's path below the folder of its target.
        source = re.sub(r".*\.dir/", "", str(file)).removesuffix(".o.ptxas")
        if any((NATIVE / folder / source).exists() for folder in ("cuda", "gpu")):
            yield file.read_text()


def demangled(names):
    """A kernel's name without our namespaces and parameters: template arguments are kept, they are kernels of their own."""
    told = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    short = {}
    for name, text in zip(names, told):
        text = re.sub(r"\(anonymous namespace\)::|\beyrie::(\w+::)*|^void ", "", text)
        depth = 0
        for i, c in enumerate(text):
            depth += (c == "<") - (c == ">")
            if c == "(" and depth == 0:
                text = text[:i]
                break
        short[name] = text
    # Overloads share a short name; their mangled names differ.
    shared = {s for s in short.values() if sum(x == s for x in short.values()) > 1}
    return {name: name if s in shared else s for name, s in short.items()}


def measured(build):
    """kernel -> architecture -> {registers, shared, stack, spills}"""
    found = {}
    for text in reports(build):
        entry, memory = None, (0, 0, 0)
        for line in text.splitlines():
            if m := ENTRY.search(line):
                entry, memory = m.groups(), (0, 0, 0)
            elif m := MEMORY.search(line):
                memory = tuple(map(int, m.groups()))
            elif (m := USED.search(line)) and entry:
                smem = SHARED.search(m.group(2))
                shared = int(smem.group(1)) if smem else 0
                found[entry] = dict(registers=int(m.group(1)), shared=shared, stack=memory[0], spills=memory[1] + memory[2])
                entry = None
    names = demangled(sorted({name for name, _ in found}))
    kernels = {}
    for (name, arch), figures in sorted(found.items()):
        kernels.setdefault(names[name], {})[arch] = figures
    return kernels


def spilling(kernels):
    for name, archs in kernels.items():
        for arch, figures in archs.items():
            if figures["spills"]:
                yield f"{name} on {arch} spills {figures['spills']} bytes of registers; none is allowed"


def differences(kernels, table):
    built = {arch for archs in kernels.values() for arch in archs}
    for name, archs in kernels.items():
        for arch, figures in archs.items():
            limit = table.get(name, {}).get(arch)
            if limit is None:
                yield f"{name} on {arch} is not in the table"
                continue
            for what in ("registers", "shared", "stack"):
                if figures[what] > limit[what]:
                    yield f"{name} on {arch}: {what} {figures[what]}, the table allows {limit[what]}"
    for name, archs in table.items():
        for arch in archs:
            if arch in built and arch not in kernels.get(name, {}):
                yield f"{name} on {arch} is in the table, but no such kernel was compiled"


def updated(kernels, table):
    new = {}
    built = {arch for archs in kernels.values() for arch in archs}
    for name in sorted(kernels):
        kept = {arch: limit for arch, limit in table.get(name, {}).items() if arch not in built}
        for arch, f in kernels[name].items():
            kept[arch] = dict(registers=-(-f["registers"] // UNIT) * UNIT, shared=f["shared"], stack=f["stack"])
        new[name] = dict(sorted(kept.items(), key=lambda item: int(item[0].removeprefix("sm_"))))
    return new


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("check", "update"):
        print(__doc__, file=sys.stderr)
        return 2
    kernels = measured(arguments[1])
    if not kernels:
        print(f"registers.py: {arguments[1]} holds no report of ptxas; build first", file=sys.stderr)
        return 1
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    wrong = list(spilling(kernels))
    if arguments[0] == "update":
        TABLE.write_text(json.dumps(updated(kernels, table), indent=2) + "\n")
    else:
        wrong += differences(kernels, table)
    for line in wrong:
        print(f"registers: {line}", file=sys.stderr)
    if wrong and arguments[0] == "check":
        print("registers: if the growth is meant, run `bash native/cuda/build.sh --registers update` and say why in the change", file=sys.stderr)
    if not wrong:
        most = {arch: max(a[arch]["registers"] for a in kernels.values() if arch in a) for arch in {x for a in kernels.values() for x in a}}
        print(f"{len(kernels)} kernels, no spills, at most {max(most.values())} registers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
