"""Checks and how they are told. `run()` prints one JSON line for each: {"check", "ok", "why"}."""

import json
import traceback
from contextlib import contextmanager

checks = []


def check(function):
    checks.append(function)
    return function


def expect(held, what):
    if not held:
        raise AssertionError(what)


def equal(seen, wanted):
    expect(seen == wanted, f"{seen!r} is not {wanted!r}")


@contextmanager
def fails(kind, says="", **members):
    """The block must end in an error of this kind, with these words in its message and these members."""
    try:
        yield
    except kind as error:
        expect(says in str(error), f"{error} does not say {says!r}")
        for name, wanted in members.items():
            equal(getattr(error, name), wanted)
    else:
        raise AssertionError(f"no {kind.__name__}")


def run():
    for function in checks:
        why = None
        try:
            function()
        except Exception:  # every check is told, whatever it was that failed
            why = traceback.format_exc(limit=-2)
        print(json.dumps({"check": function.__name__.replace("_", " "), "ok": why is None, "why": why}), flush=True)
