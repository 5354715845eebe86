"""The scripts around the CUDA backend, without a toolkit or a card: python3 scripts_test.py [unittest arguments]."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

CUDA = Path(__file__).resolve().parents[2] / "cuda"


def call(*command, **environment):
    env = {**os.environ, **environment}
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, env=env)


class InATemporaryTree(unittest.TestCase):
    """The scripts find their files by where they lie: a copy of native/cuda is a world of its own."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.cuda = self.root / "native/cuda"
        (self.cuda / "kernels").mkdir(parents=True)
        shutil.copytree(CUDA / "toolkit", self.cuda / "toolkit")
        for name in ("ledger.py", "summary.py", "CMakeLists.txt", "verified.json", "on-card.sh", "build.sh"):
            shutil.copy(CUDA / name, self.cuda / name)

    def write(self, name, text):
        path = self.root / "native" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


REPORT = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN5eyrie4cuda12_GLOBAL__N_13addILi{n}EEEvPf' for 'sm_90'
ptxas info    : Function properties for _ZN5eyrie4cuda12_GLOBAL__N_13addILi{n}EEEvPf
    {stack} bytes stack frame, {spills} bytes spill stores, {spills} bytes spill loads
ptxas info    : Used {registers} registers, used 0 barriers, {shared} bytes smem
ptxas info    : Compile time = 2.321 ms
"""


class Registers(InATemporaryTree):
    def setUp(self):
        super().setUp()
        self.write("cuda/kernels/add.cu", "")
        self.build = self.root / "native/build-cuda"

    def report(self, n=1, registers=30, spills=0, stack=0, shared=0, more=""):
        text = REPORT.format(n=n, registers=registers, spills=spills, stack=stack, shared=shared) + more
        self.write("build-cuda/CMakeFiles/x.dir/kernels/add.cu.o.ptxas", text)

    def run_it(self, command):
        return call("python3", self.cuda / "toolkit/registers.py", command, self.build)

    def table(self):
        return json.loads((self.cuda / "registers.json").read_text())

    def test_limits_are_rounded_up_to_what_a_card_allots(self):
        self.report(registers=33)
        self.assertEqual(self.run_it("update").returncode, 0)
        self.assertEqual(self.table(), {"add<1>": {"sm_90": {"registers": 40, "shared": 0, "stack": 0}}})
        self.report(registers=40)
        self.assertEqual(self.run_it("check").returncode, 0)

    def test_growth_past_the_limit_fails(self):
        self.report(registers=40)
        self.run_it("update")
        for grown, what in (({"registers": 41}, "registers 41"), ({"shared": 1}, "shared 1"), ({"stack": 8}, "stack 8")):
            self.report(**{"registers": 40, **grown})
            done = self.run_it("check")
            self.assertEqual(done.returncode, 1)
            self.assertIn(what, done.stderr)

    def test_a_spill_fails_even_the_update(self):
        self.report(spills=4)
        done = self.run_it("update")
        self.assertEqual(done.returncode, 1)
        self.assertIn("spills 8 bytes", done.stderr)

    def test_a_kernel_that_is_new_or_gone_fails(self):
        self.report()
        self.run_it("update")
        self.report(more=REPORT.format(n=2, registers=8, spills=0, stack=0, shared=0))
        self.assertIn("add<2> on sm_90 is not in the table", self.run_it("check").stderr)
        self.report(n=2)
        self.assertIn("no such kernel was compiled", self.run_it("check").stderr)

    def test_reports_of_sources_that_are_gone_do_not_count(self):
        self.report()
        self.write("build-cuda/CMakeFiles/x.dir/kernels/gone.cu.o.ptxas", REPORT.format(n=9, registers=8, spills=4, stack=0, shared=0))
        self.assertEqual(self.run_it("update").returncode, 0)
        self.assertEqual(list(self.table()), ["add<1>"])

    def test_other_architectures_keep_their_limits(self):
        self.report()
        self.run_it("update")
        table = self.table()
        table["add<1>"]["sm_80"] = {"registers": 8, "shared": 0, "stack": 0}
        self.write("cuda/registers.json", json.dumps(table))
        self.assertEqual(self.run_it("check").returncode, 0)
        self.run_it("update")
        self.assertEqual(list(self.table()["add<1>"]), ["sm_80", "sm_90"])

    def test_an_empty_build_folder_is_no_success(self):
        self.assertEqual(self.run_it("check").returncode, 1)


class Ledger(InATemporaryTree):
    def run_it(self, *words):
        done = call("python3", self.cuda / "ledger.py", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def results(self, *items):
        return self.write("results.jsonl", "".join(json.dumps(item) + "\n" for item in items) + '{"item": "check", "na')

    def test_the_ledger_of_the_project_can_be_read(self):
        done = call("python3", CUDA / "ledger.py", "status")
        self.assertRegex(done.stdout, r"^CUDA backend: (never run on a card|verified on|changed since|FAILED)")

    def test_headers_count_wherever_they_lie_and_what_is_for_the_emulation_does_not(self):
        self.write("cuda/kernels/a.cu", '#include "numbers/x.h"\n#include "emulation/y.h"\n')
        self.write("numbers/x.h", '#include "numbers/deep.h"')
        self.write("numbers/deep.h", "")
        self.write("emulation/y.h", "")
        self.write("cuda/device_host.cc", "")
        before = self.run_it("hash")
        for name in ("emulation/y.h", "cuda/device_host.cc", "cuda/verified.json", "numbers/unused.h"):
            self.write(name, "// other")
            self.assertEqual(self.run_it("hash"), before, name)
        for name in ("numbers/deep.h", "cuda/kernels/a.cu"):
            self.write(name, "// other")
            self.assertNotEqual(self.run_it("hash"), before, name)

    def test_from_a_run_to_verified_to_changed(self):
        path = self.results(
            {"item": "card", "name": "NVIDIA H100", "driver": "580"},
            {"item": "phase", "phase": "build", "status": 0},
            {"item": "check", "name": "numbers", "ok": True},
            {"item": "phase", "phase": "check", "status": 0},
            {"item": "read", "gb_per_s": 3100},
            {"item": "gemm", "shape": "up"},
        )
        candidate = json.loads(self.run_it("candidate", path))
        self.assertTrue(candidate["passed"])
        self.assertEqual(candidate["figures"], {"read": [{"gb_per_s": 3100}]})
        self.write("cuda/verified.json", json.dumps(candidate))
        self.assertIn("verified on NVIDIA H100 on 20", self.run_it("status"))
        self.write("cuda/kernels/new.cu", "")
        self.assertIn("changed since it was verified on NVIDIA H100", self.run_it("status"))

    def test_it_passes_only_when_checks_ran_to_their_end_and_held(self):
        card, build = {"item": "card", "name": "H", "driver": "5"}, {"item": "phase", "phase": "build", "status": 0}
        check, end = {"item": "check", "name": "a", "ok": True}, {"item": "phase", "phase": "check", "status": 0}
        for items in ([card, build, end], [card, build, check], [card, check, end], [card, build, {**check, "ok": False}, end], [card, build, check, {**end, "status": 124}]):
            self.assertFalse(json.loads(self.run_it("candidate", self.results(*items)))["passed"], items)

    def test_the_summary_names_what_failed(self):
        path = self.results(
            {"item": "card", "name": "NVIDIA H100", "driver": "580"},
            {"item": "phase", "phase": "check", "status": 124, "seconds": 25, "limit": 25},
            {"item": "check", "name": "numbers", "ok": False},
            {"item": "decode", "layers": 12, "dtype": "fp8", "batch": 128, "context": 512, "step_ms": 4.0, "tokens_per_s": 32000, "roofline_ms": 3.0},
            {"item": "decode", "layers": 60, "dtype": "fp8", "batch": 320, "context": 1024, "error": "out_of_memory"},
            {"item": "baseline", "engine": "torch", "dtype": "fp8", "layers": 12, "batch": 128, "context": 512, "step_ms": 6.0},
            {"item": "gemm", "shape": "up", "type": "fp8", "m": 16, "us": 12.5},
            {"item": "gemm", "shape": "up", "type": "fp8", "m": 32, "status": "CUBLAS_STATUS_NOT_SUPPORTED"},
            {"item": "bits", "shape": "up", "type": "fp8", "covered": 9, "of": 9, "worst_cost": 1.02},
        )
        done = call("python3", self.cuda / "summary.py", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ("CUT OFF", "FAILED: numbers", "0.75", "1.50 x as fast", "out_of_memory", "9 of 9"):
            self.assertIn(part, done.stdout)


class OnCard(InATemporaryTree):
    def run_it(self, *words, **environment):
        return call("bash", self.cuda / "on-card.sh", *words, **environment)

    def test_a_dry_run_names_the_phases_and_keeps_under_nine_minutes(self):
        done = self.run_it("--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual([line[0] for line in lines], "facts build check lab slice sweep baseline sanitize profile sum".split())
        self.assertEqual(sum(int(line[1]) for line in lines[:-1]), int(lines[-1][1]))
        self.assertLessEqual(int(lines[-1][1]), 9 * 60)

    def test_phases_are_chosen_by_name(self):
        self.assertEqual([line.split()[0] for line in self.run_it("--dry-run", "lab", "facts").stdout.splitlines()], ["facts", "lab", "sum"])
        done = self.run_it("--dry-run", "labs")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'labs'", done.stderr)

    def test_a_phase_that_fails_does_not_stop_the_next(self):
        out = self.root / "out"
        program = self.write("build-cuda-card/eyrie_gpu", '#!/bin/sh\n[ "$1" = lab ] && echo no json && echo \'{"item":"read","gb_per_s":1}\' && exit 0\nexit 3\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        done = self.run_it("check", "lab", OUT=str(out))
        self.assertEqual(done.returncode, 0, done.stderr)
        items = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        self.assertEqual([(i["phase"], i["status"]) for i in items if i["item"] == "phase"], [("check", 3), ("lab", 0)])
        self.assertIn({"item": "read", "gb_per_s": 1}, items)
        self.assertIn("no json", (out / "log.txt").read_text())
        self.assertFalse(json.loads((out / "verified.json").read_text())["passed"])

    def test_what_did_not_run_for_a_lost_card_runs_again(self):
        out = self.root / "out"
        # a is right, b loses the card, c does so in the process after it, d is right.
        program = self.write(
            "build-cuda-card/eyrie_gpu",
            """#!/bin/bash
[ "$1" = check ] || exit 0
says() { echo "{\\"item\\":\\"check\\",\\"name\\":\\"$1\\",\\"ok\\":$2,\\"error\\":\\"$3\\"}"; }
lost='engine_closed: CUDA'
case ${3:-all} in
  all) says a true ''; says b false "$lost"; says c false "$lost"; says d false "$lost"; exit 1 ;;
  c,d) says c false "$lost"; says d false "$lost"; exit 1 ;;
  d) says d true '' ;;
esac
""",
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.run_it("check", OUT=str(out))
        items = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        self.assertEqual("".join(i["name"] for i in items if i["item"] == "check"), "abcdcdd")
        self.assertEqual([i["status"] for i in items if i["item"] == "phase"], [1])
        self.assertEqual(json.loads((out / "verified.json").read_text())["checks"], {"passed": 2, "of": 4})
        self.assertIn("2 of 4 hold; FAILED: b, c", (out / "summary.txt").read_text())

    def test_a_phase_that_does_not_heed_its_limit_is_ended_with_all_that_it_started(self):
        script = self.cuda / "on-card.sh"
        script.write_text(script.read_text().replace("\ncheck 30\n", "\ncheck 1\n"))
        out, mark = self.root / "out", self.root / "children"
        program = self.write(
            "build-cuda-card/eyrie_gpu",
            f"""#!/bin/bash
[ "$1" = check ] || exit 0
trap '' TERM
echo '{{"item":"check","name":"x","ok":false}}'
sleep 300 &
echo $$ $! >{mark}
wait
""",
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        done = self.run_it("check", "lab", OUT=str(out))
        self.assertEqual(done.returncode, 0, done.stderr)
        items = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        self.assertEqual([(i["phase"], i["status"]) for i in items if i["item"] == "phase"], [("check", 124), ("lab", 0)])
        self.assertIn({"item": "check", "name": "x", "ok": False}, items)
        for child in mark.read_text().split():
            self.assertFalse(Path(f"/proc/{child}").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text())


class FindToolkit(InATemporaryTree):
    def tree(self, release="13.0", lt=True):
        files = {"bin/nvcc": f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V0'\n", "include/cuda_runtime.h": "", "lib64/libcudart_static.a": ""}
        if lt:
            files |= {"include/cublasLt.h": "", "lib64/libcublasLt.so.13": ""}
        for name, text in files.items():
            self.write(f"../toolkit/{name}", text)
        (self.root / "toolkit/bin/nvcc").chmod(0o755)
        return str(self.root / "toolkit")

    def run_it(self, root):
        return call("bash", self.cuda / "toolkit/find.sh", EYRIE_CUDA_ROOT=root)

    def test_one_tree_with_everything(self):
        root = self.tree()
        done = self.run_it(root)
        self.assertEqual(done.stdout.splitlines(), [f"{root}/bin/nvcc", f"{root}/include;{root}/include", f"{root}/lib64;{root}/lib64"])

    def test_what_is_missing_is_said_and_77(self):
        for root, about in ((str(self.root), "no bin/nvcc"), (self.tree(release="12.4"), "CUDA 13 is needed")):
            done = self.run_it(root)
            self.assertEqual(done.returncode, 77)
            self.assertIn(about, done.stderr)

    def test_mistakes_in_the_build_arguments(self):
        for words, about in ((["--arch", "hopper"], "sm_90"), (["--bogus"], "'--bogus'"), (["--jobs"], "needs a value"), (["--registers", "x"], "skip"), (["--warnings", "x"], "fail or show")):
            done = call("bash", self.cuda / "build.sh", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(about, done.stderr)


if __name__ == "__main__":
    unittest.main()
