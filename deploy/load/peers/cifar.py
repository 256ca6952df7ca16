"""CIFAR binary files, and what their networks take: NCHW float32, normalised."""

import dataclasses
import os

import numpy as np

_PIXEL_BYTES = 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Task:
    name: str
    label_bytes: int  # Of each record; the last of them is the label.
    mean: tuple
    std: tuple


_TASKS = {
    10: Task("cifar10", 1, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    100: Task("cifar100", 2, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}


def task_of(classes):
    if classes not in _TASKS:
        raise SystemExit(f"peers: the checkpoint has {classes} classes; CIFAR's have 10 or 100")
    return _TASKS[classes]


def read(path, task, limit):
    """The first `limit` images, uint8 [n, 3, 32, 32], and their labels [n]."""
    record = task.label_bytes + _PIXEL_BYTES
    try:
        size = os.path.getsize(path)
        if size == 0 or size % record != 0:
            raise SystemExit(
                f"peers: {path}: {size} bytes are no whole number of {task.name} records of "
                f"{record} bytes; give the binary version of the checkpoint's data set")
        records = np.fromfile(path, np.uint8, min(limit * record, size)).reshape(-1, record)
    except OSError as error:
        raise SystemExit(f"peers: {path}: {error.strerror}") from error
    return (records[:, task.label_bytes:].reshape(-1, 3, 32, 32),
            records[:, task.label_bytes - 1].astype(np.int64))


def normalise(pixels, task):
    mean = np.array(task.mean, np.float32).reshape(1, 3, 1, 1)
    std = np.array(task.std, np.float32).reshape(1, 3, 1, 1)
    return (pixels.astype(np.float32) / 255 - mean) / std
