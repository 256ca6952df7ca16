"""Bitplex and its peers in turn, and one table. Run by ../peers.sh, which says what is measured;
everything it starts inherits the one processor core that it was itself given.
"""

import argparse
import statistics
import sys

from contenders import Bitplex, CannotRun, Peer

_ROWS = (("onnxruntime", "f32"), ("onnxruntime", "s8"),
         ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "s8"),
         ("libtorch", "f32"), ("onednn", "f32"), ("onednn", "bf16"), ("onednn", "s8"))
_BASE = ("onednn", "s8")  # What the others are compared with, in batches of 8.
_PEERS = ("onnxruntime", "openvino")


class Row:
    def __init__(self, options, name, precision):
        self.key = (name, precision)
        self.rounds = []  # Of each round: milliseconds an image, by batch.
        self.accuracy = None
        self.cannot = ""
        self._runtime = None
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
        version = self._runtime.version if self._runtime else ""
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
