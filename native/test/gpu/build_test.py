"""What build.sh has built, on a machine with or without a card: python3 build_test.py BUILD_FOLDER [unittest arguments]."""

import ctypes
import json
import subprocess
import sys
import unittest
from pathlib import Path

BUILD = Path()


class Built(unittest.TestCase):
    def test_the_library_loads_without_a_driver(self):
        ctypes.CDLL(str(BUILD / "libeyrie_cuda.so"))

    def test_only_what_is_marked_leaves_the_library(self):
        told = subprocess.run(["nm", "-DC", "--defined-only", BUILD / "libeyrie_cuda.so"], capture_output=True, text=True, check=True).stdout
        # Instances of the standard library's templates are shared by all, as in every library.
        names = [line.split(maxsplit=2)[2] for line in told.splitlines()]
        others = [name for name in names if not name.startswith("eyrie_") and "eyrie::" not in name and "std::" not in name]
        self.assertEqual(others, [])

    def test_a_machine_without_a_card_gets_a_coded_error(self):
        done = subprocess.run([BUILD / "eyrie_gpu", "facts"], capture_output=True, text=True, timeout=60)
        item = json.loads(done.stdout)
        if done.returncode == 0:
            self.assertEqual(item["item"], "card")
            return
        self.assertEqual(done.returncode, 3)
        self.assertEqual((item["item"], item["code"]), ("error", "unsupported_device"))
        self.assertIn("driver", item["message"])


if __name__ == "__main__":
    BUILD = Path(sys.argv.pop(1))
    unittest.main()
