"""Bitplex and its peers in turn, and one table. Run by ../peers.sh, which says what is measured;
everything it starts inherits the one processor core that it was itself given.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROWS = (("onnxruntime", "f32"), ("onnxruntime", "s8"),
         ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "s8"),
         ("libtorch", "f32"), ("onednn", "f32"), ("onednn", "bf16"), ("onednn", "s8"))
_BASE = ("onednn", "s8")  # What the others are compared with, in batches of 8.
_PEERS = ("onnxruntime", "openvino")


class CannotRun(Exception):
    pass


def run(*command):
    """The command's standard output; a failure raises with the last line that it wrote."""
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode == 0:
        return result.stdout
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    if result.returncode < 0:
        lines = [f"ended by signal {-result.returncode}"]
    raise CannotRun(f"{os.path.basename(command[0])}: {lines[-1] if lines else 'failed'}")


def run_json(*command):
    output = run(*command)
    try:
        return json.loads(output)
    except ValueError as error:
        raise CannotRun(f"{os.path.basename(command[0])}: no JSON answer") from error


class Peer:
    def __init__(self, options, name, precision):
        self._options = options
        model = os.path.join(options.scratch, "s8.onnx" if precision == "s8" else "f32.onnx")
        self._command = (sys.executable, os.path.join(_HERE, "runtimes.py"), name, precision, model,
                         options.test)
        self.version = ""

    def top1(self):
        return self._ask("top1", self._options.images)["top1"]

    def time(self):
        return {int(batch): ms for batch, ms in self._ask("time", self._options.seconds)["ms"].items()}

    def _ask(self, what, amount):
        result = run_json(*self._command, what, str(amount))
        if "cannot" in result:
            raise CannotRun(result["cannot"])
        self.version = result["version"]
        return result


class Bitplex:
    """Accuracy from the checkpoint or, in s8, from a store made of it; times from executor_bench."""

    def __init__(self, options, name, precision):
        self._options = options
        self._name = name
        self._precision = precision
        self._tool = os.path.join(options.bin, "bitplex")
        self.version = run(self._tool, "--version").split()[-1]

    def top1(self):
        options = self._options
        subject = ["--checkpoint", options.checkpoint]
        if self._precision == "s8":
            store = os.path.join(options.scratch, "s8.bpx")
            run(self._tool, "fuse", "--arch", "resnet18-cifar", "--out", store, "--task",
                f"{options.task}={options.checkpoint},bits=7,exponents=channel",
                "--calibrate", f"{options.calibration},images={options.calibration_images}")
            subject = ["--store", store]
        return run_json(self._tool, "evaluate", *subject, "--task", options.task, "--data",
                        options.test, "--limit", str(options.images), "--executor", self._name,
                        "--precision", self._precision, "--threads", "1", "--json")["top1"]

    def time(self):
        report = run_json(os.path.join(self._options.bin, "executor_bench"),
                          f"--benchmark_filter=^Run/{self._name}/{self._precision}/(1|8)/",
                          f"--benchmark_min_time={self._options.seconds}",
                          "--benchmark_format=json")
        result = {}
        for entry in report["benchmarks"]:
            if entry.get("error_occurred"):
                raise CannotRun(entry["error_message"])
            batch = int(entry["name"].split("/")[3])
            result[batch] = entry["real_time"] / batch
        if sorted(result) != [1, 8]:
            raise CannotRun(f"this executor_bench has no Run/{self._name}/{self._precision}")
        return result


class Row:
    def __init__(self, options, name, precision):
        self.key = (name, precision)
        self.rounds = []  # Of each round: milliseconds an image, by batch.
        self.accuracy = None
        self.cannot = ""
        self._version = ""
        try:
            self._runtime = (Peer if name in _PEERS else Bitplex)(options, name, precision)
        except CannotRun as error:
            self.cannot = str(error)

    def measure_top1(self):
        if not self.cannot:
            self.accuracy = self._attempt(lambda: self._runtime.top1())

    def measure_time(self):
        if not self.cannot:
            self.rounds.append(self._attempt(lambda: self._runtime.time()))

    def label(self):
        name, precision = self.key
        version = "" if self.cannot else self._runtime.version
        return [(name if name in _PEERS else f"bitplex {name}"), version, precision]

    def cells(self, base):
        """The row's figures; `base` is the row that it is compared with."""
        one, eight = ([times[batch] for times in self.rounds] for batch in (1, 8))
        ratio = "-"
        if not base.cannot:
            # Of the same round, so that a slow one counts against both.
            ratio = f"{statistics.median(a / b[8] for a, b in zip(eight, base.rounds)):.2f}"
        return [f"{self.accuracy:.2f}", f"{statistics.median(one):.3f}",
                f"{statistics.median(eight):.3f}", f"{min(eight):.3f}-{max(eight):.3f}", ratio]

    def _attempt(self, action):
        try:
            return action()
        except CannotRun as error:
            self.cannot = str(error)
            return None


def print_table(rows):
    base = next(row for row in rows if row.key == _BASE)
    layout = "{:<17} {:<9} {:<9} {:>7} {:>11} {:>11} {:>15} {:>12}".format
    print(layout("RUNTIME", "VERSION", "PRECISION", "TOP-1 %", "MS, BATCH 1", "MS, BATCH 8",
                 "BATCH 8 RANGE", "x ONEDNN S8"))
    for row in rows:
        if row.cannot:
            print("{:<17} {:<9} {:<9} cannot run: {}".format(*row.label(), row.cannot))
        else:
            print(layout(*row.label(), *row.cells(base)))


def parse_options():
    parser = argparse.ArgumentParser()
    for name in ("checkpoint", "calibration", "test", "scratch", "bin", "task"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("images", "calibration-images", "rounds", "seconds"):
        parser.add_argument(f"--{name}", required=True, type=int)
    return parser.parse_args()


def main():
    options = parse_options()
    rows = [Row(options, *row) for row in _ROWS]
    for row in rows:
        print(f"Accuracy: {' '.join(row.key)}", file=sys.stderr)
        row.measure_top1()
    for index in range(options.rounds):
        print(f"Round {index + 1} of {options.rounds}", file=sys.stderr)
        for row in rows:
            row.measure_time()
    print_table(rows)
    return 1 if all(row.cannot for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
