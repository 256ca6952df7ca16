"""How a row of the table is measured: by another process, whose answer is read.

Peer and Bitplex have the same form. top1() is percent, time() milliseconds an image by batch size;
both raise CannotRun with the reason. `version` is known once one of them has answered.
"""

import json
import os
import subprocess
import sys


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
    name = os.path.basename(command[0])
    reason = lines[-1] if lines else "failed"
    raise CannotRun(f"{name}: {reason.removeprefix(f'{name}: ')}")


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
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtimes.py")
        self._command = (sys.executable, script, name, precision, model, options.test)
        self.version = ""

    def top1(self):
        return self._ask("top1", self._options.images)["top1"]

    def time(self):
        times = self._ask("time", self._options.seconds)["ms"]
        return {int(batch): ms for batch, ms in times.items()}

    def _ask(self, what, amount):
        result = run_json(*self._command, what, str(amount))
        if "cannot" in result:
            raise CannotRun(result["cannot"])
        self.version = result["version"]
        return result


class Bitplex:
    """Accuracy from the checkpoint, in s8 from a store made of it; times from executor_bench."""

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
