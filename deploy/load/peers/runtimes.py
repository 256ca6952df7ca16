"""One peer on one thread, in a process of its own; prints one JSON object.

    runtimes.py onnxruntime|openvino f32|bf16|s8 MODEL.onnx TEST.bin time SECONDS
    runtimes.py onnxruntime|openvino f32|bf16|s8 MODEL.onnx TEST.bin top1 IMAGES

    time: {"ms": {"1": ..., "8": ...}}, milliseconds an image in batches of 1 and of 8
    top1: {"top1": ...}, percent
    either: {"version": ...}, or {"cannot": why} where the processor or the runtime lacks something
"""

import json
import sys
import time

import numpy as np

import cifar

_BATCHES = (1, 8)
_WARM_UP_SECONDS = 0.3


class CannotRun(Exception):
    pass


class OnnxRuntime:
    def __init__(self, model, precision, batch):
        import onnxruntime
        if precision == "bf16":
            raise CannotRun("ONNX Runtime has no bf16 convolution for processors")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_free_dimension_override_by_name("batch", batch)
        self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self.version = onnxruntime.__version__
        self.classes = self._session.get_outputs()[0].shape[1]

    def run(self, images):
        return self._session.run(None, {"images": images})[0]


class OpenVino:
    def __init__(self, model, precision, batch):
        import openvino
        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in able:
            raise CannotRun("this processor has no bf16 arithmetic")
        graph = core.read_model(model)
        graph.reshape([batch, 3, 32, 32])
        compiled = core.compile_model(graph, "CPU", {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
            # Left alone it computes f32 models in bf16, where the processor has that.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        })
        self._request = compiled.create_infer_request()
        self._tensor = openvino.Tensor
        self.version = openvino.__version__.split("-")[0]
        self.classes = compiled.output(0).shape[1]

    def run(self, images):
        self._request.set_input_tensor(self._tensor(images, shared_memory=True))
        self._request.infer()
        return self._request.get_output_tensor().data


def mean_ms(run, seconds):
    """Milliseconds of a call: the mean, as Google Benchmark has it."""
    def calls(limit):
        count, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < limit or count == 0:
            run()
            count += 1
        return spent * 1000 / count

    calls(_WARM_UP_SECONDS)
    return calls(seconds)


def measure_time(make, test, seconds):
    result = {"ms": {}}
    for batch in _BATCHES:
        runtime = make(batch)
        task = cifar.task_of(runtime.classes)
        images = cifar.normalise(cifar.read(test, task, batch)[0], task)
        result["ms"][batch] = mean_ms(lambda: runtime.run(images), seconds) / batch
        result["version"] = runtime.version
    return result


def measure_top1(make, test, limit):
    batch = max(_BATCHES)
    runtime = make(batch)
    task = cifar.task_of(runtime.classes)
    pixels, labels = cifar.read(test, task, limit)
    correct = 0
    for begin in range(0, len(pixels), batch):
        images = cifar.normalise(pixels[begin:begin + batch], task)
        count = len(images)
        images = np.pad(images, ((0, batch - count), (0, 0), (0, 0), (0, 0)))
        answers = runtime.run(images)[:count].argmax(axis=1)
        correct += int((answers == labels[begin:begin + count]).sum())
    return {"top1": 100 * correct / len(pixels), "version": runtime.version}


def main():
    name, precision, model, test, what, amount = sys.argv[1:]
    kind = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}[name]

    def make(batch):
        return kind(model, precision, batch)

    try:
        if what == "time":
            result = measure_time(make, test, float(amount))
        else:
            result = measure_top1(make, test, int(amount))
    except CannotRun as error:
        result = {"cannot": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
