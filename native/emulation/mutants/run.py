#!/usr/bin/env python3
"""Breaks one line of a kernel at a time and expects the tests to notice.

    run.py BUILD_FOLDER [NAME ...]

Each *.mutant beside this script says which file is changed (`file`, below native/), what stands there (`before`, part of one line, must be
there exactly once), what takes its place (`after`), which tests must fail (`run`, a test program and its arguments), and `why` they should.
`seeds` (default 1 2 3) are the orders that are tried; one that fails is enough. The sources are not touched: what depends on the changed
file is compiled from a copy with the commands of the build folder, which must be up to date, and linked in place of the right objects.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NATIVE = HERE.parent.parent
FIELDS = {"why", "file", "run", "before", "after", "seeds"}
TEST_LIMIT_S = 300


class Broken(Exception):
    """The mutant, not the code, is wrong."""


def read_mutant(path):
    fields = {"seeds": "1 2 3"}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name, colon, value = line.partition(":")
        if not colon or name not in FIELDS:
            raise Broken(f"{path.name}:{number}: '{line}' is none of {', '.join(sorted(FIELDS))}")
        fields[name] = value.strip()
    missing = FIELDS - fields.keys()
    if missing:
        raise Broken(f"{path.name}: {', '.join(sorted(missing))} is missing")
    return fields


def changed_text(mutant):
    text = (NATIVE / mutant["file"]).read_text()
    count = text.count(mutant["before"])
    if count != 1:
        raise Broken(f"'{mutant['before']}' is {count} times in {mutant['file']}, but must be there once: bring the mutant up to date")
    return text.replace(mutant["before"], mutant["after"])


def output(*command, cwd):
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


class Build:
    def __init__(self, folder):
        self.folder = folder
        self.entries = json.loads((folder / "compile_commands.json").read_text())
        self.depends = {}  # object -> files
        current = None
        for line in output("ninja", "-t", "deps", cwd=folder).splitlines():
            if line.startswith(" "):
                self.depends[current].add(os.path.realpath(folder / line.strip()))
            elif ":" in line:
                current = line.split(":")[0]
                self.depends[current] = set()

    def mutate(self, mutant, overlay):
        """Compiles and links the program of the mutant; gives its path."""
        program = shlex.split(mutant["run"])[0]
        source = NATIVE / mutant["file"]
        copy = overlay / mutant["file"]
        copy.parent.mkdir(parents=True)
        copy.write_text(changed_text(mutant))
        libraries = ("CMakeFiles/eyrie_cuda_emulated.dir/", f"CMakeFiles/{program}.dir/")
        replaced = {}
        for entry in self.entries:
            command = shlex.split(entry["command"])
            made = command[command.index("-o") + 1]
            if not made.startswith(libraries) or os.path.realpath(source) not in self.depends.get(made, set()):
                continue
            new = overlay / f"{len(replaced)}.o"
            command[command.index("-o") + 1] = str(new)
            if os.path.realpath(entry["file"]) == os.path.realpath(source):
                command[command.index(entry["file"])] = str(copy)
            # The copy comes first where it is included, and finds what lay beside it.
            command[1:1] = [f"-I{overlay}", "-iquote", str(source.parent)]
            built = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
            if built.returncode != 0:
                raise Broken(f"it does not compile:\n{built.stderr[-2000:]}")
            replaced[made] = str(new)
        if not replaced:
            raise Broken(f"no object of {program} or the emulated backend depends on {mutant['file']}")
        self.link(program, replaced, overlay)
        return overlay / program

    def link(self, program, replaced, overlay):
        last = output("ninja", "-t", "commands", program, cwd=self.folder).splitlines()[-1]
        command = [part for part in shlex.split(last) if part not in (":", "&&")]
        # Objects of the library stand before it, so that its own are not taken.
        in_library = [new for made, new in replaced.items() if made not in command]
        command = [replaced.get(part, part) for part in command]
        at = command.index("-o")
        command[at + 1] = str(overlay / program)
        command[at:at] = in_library
        subprocess.run(command, cwd=self.folder, check=True)


def notices(program, mutant, seed):
    """Whether the tests fail with this seed, and which one did."""
    arguments = shlex.split(mutant["run"])[1:]
    environment = {**os.environ, "EYRIE_EMULATION_SEED": seed}
    try:
        run = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=TEST_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise Broken(f"the tests did not end within {TEST_LIMIT_S} s with seed {seed}") from None
    if run.returncode == 0:
        if "[  PASSED  ] 0 tests" in run.stdout:
            raise Broken(f"'{mutant['run']}' runs no test")
        return None
    failed = [line.split("]")[1].strip() for line in run.stdout.splitlines() if line.startswith("[  FAILED  ] ")]
    return failed[-1] if failed else f"exit {run.returncode}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = Build(pathlib.Path(sys.argv[1]).resolve())
    paths = sorted(HERE.glob("*.mutant"))
    chosen = [path for path in paths if not sys.argv[2:] or path.stem in sys.argv[2:]]
    unknown = set(sys.argv[2:]) - {path.stem for path in paths}
    if unknown or not chosen:
        sys.exit(f"there is no mutant {', '.join(sorted(unknown)) or 'at all'}; there are {', '.join(path.stem for path in paths) or 'none'}")
    missed = 0
    for path in chosen:
        try:
            mutant = read_mutant(path)
            with tempfile.TemporaryDirectory(prefix="eyrie-mutant-") as overlay:
                program = build.mutate(mutant, pathlib.Path(overlay))
                found = None
                for seed in mutant["seeds"].split():
                    found = notices(program, mutant, seed)
                    if found:
                        print(f"caught  {path.stem} (seed {seed}): {found}", flush=True)
                        break
            if not found:
                missed += 1
                print(f"MISSED  {path.stem}: the tests pass with seeds {mutant['seeds']}, although {mutant['why']}", flush=True)
        except Broken as broken:
            missed += 1
            print(f"BROKEN  {path.stem}: {broken}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants caught")
    sys.exit(1 if missed else 0)


main()
