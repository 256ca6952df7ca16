"""Makes f32.onnx and s8.onnx, the models that the peers run, from a ResNet18 checkpoint.

    models.py CHECKPOINT.safetensors CALIBRATION.bin IMAGES TEST.bin FOLDER

s8.onnx has its batch norms folded and is quantised by ONNX Runtime (QDQ): weights int8 with a scale
for each output channel, activations uint8 (with int8 ONNX Runtime leaves half of the convolutions
in float32), their ranges measured on the first IMAGES images. Of TEST.bin only the layout is
checked. Prints the name of the checkpoint's task.
"""

import json
import logging
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat,
                                      QuantType, quantize_static)

import cifar

_EPSILON = 1e-5
_CALIBRATION_BATCH = 50


def read_safetensors(path):
    """All float32 tensors of the file, by name."""
    with open(path, "rb") as file:
        data = file.read()
    header_bytes = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header_bytes > len(data) - 8:
        raise SystemExit(f"peers: {path}: not a safetensors file; give the checkpoint as one")
    body = memoryview(data)[8 + header_bytes:]
    tensors = {}
    try:
        for name, entry in json.loads(data[8:8 + header_bytes]).items():
            if name == "__metadata__" or entry["dtype"] != "F32":
                continue
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"peers: {path}: damaged safetensors header: {error!r}") from error
    return tensors


class ResNet18:
    """The ONNX graph of a ResNet18 in its CIFAR form, with or without batch norms of their own."""

    def __init__(self, tensors, fold):
        self._tensors = tensors
        self._fold = fold
        self._nodes = []
        self._constants = []

    def build(self):
        if self._tensor("conv1.weight").shape != (64, 3, 3, 3):
            raise SystemExit("peers: the checkpoint is no ResNet18 in its CIFAR form (3x3 stem)")
        x = self._node("Relu", "conv1.relu", self._conv("images", "conv1", "bn1", 1))
        for stage in range(1, 5):
            for block in range(2):
                x = self._block(x, f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
        x = self._node("Flatten", "flatten", self._node("GlobalAveragePool", "pool", x))
        constants = [self._constant(name, self._tensor(name)) for name in ("fc.weight", "fc.bias")]
        self._node("Gemm", "logits", x, *constants, transB=1)
        classes = self._tensor("fc.bias").size
        graph = helper.make_graph(
            self._nodes, "resnet18-cifar",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 32])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model)

    def _block(self, x, name, stride):
        y = self._conv(x, f"{name}.conv1", f"{name}.bn1", stride)
        y = self._node("Relu", f"{name}.relu1", y)
        y = self._conv(y, f"{name}.conv2", f"{name}.bn2", 1)
        if f"{name}.downsample.0.weight" in self._tensors:
            x = self._conv(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return self._node("Relu", f"{name}.relu2", self._node("Add", f"{name}.add", y, x))

    def _conv(self, x, conv, norm, stride):
        weight = self._tensor(f"{conv}.weight")
        gamma, beta, mean, variance = (
            self._tensor(f"{norm}.{part}")
            for part in ("weight", "bias", "running_mean", "running_var"))
        shape = {"strides": [stride] * 2, "pads": [weight.shape[2] // 2] * 4}
        if self._fold:
            scale = gamma / np.sqrt(variance.astype(np.float64) + _EPSILON)
            return self._node(
                "Conv", conv, x,
                self._constant(f"{conv}.weight", weight * scale[:, None, None, None]),
                self._constant(f"{conv}.bias", beta - mean * scale), **shape)
        x = self._node("Conv", conv, x, self._constant(f"{conv}.weight", weight), **shape)
        constants = [self._constant(f"{norm}.{part}", value)
                     for part, value in zip("gbmv", (gamma, beta, mean, variance))]
        return self._node("BatchNormalization", norm, x, *constants, epsilon=_EPSILON)

    def _tensor(self, name):
        if name not in self._tensors:
            raise SystemExit(f"peers: the checkpoint has no float32 tensor {name}; "
                             "it must be a ResNet18 with torchvision's names")
        return self._tensors[name]

    def _constant(self, name, value):
        self._constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def _node(self, kind, name, *inputs, **attributes):
        self._nodes.append(helper.make_node(kind, inputs, [name], name=f"{name}/{kind}",
                                            **attributes))
        return name


class Images(CalibrationDataReader):
    def __init__(self, images):
        self._batches = iter(np.array_split(images, -(-len(images) // _CALIBRATION_BATCH)))

    def get_next(self):
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch}


def main():
    checkpoint, calibration, count, test, folder = sys.argv[1:]
    logging.getLogger().setLevel(logging.ERROR)  # It suggests steps that were taken here.
    tensors = read_safetensors(checkpoint)
    plain = ResNet18(tensors, fold=False).build()
    task = cifar.task_of(tensors["fc.bias"].size)
    cifar.read(test, task, 1)
    pixels, _ = cifar.read(calibration, task, int(count))
    onnx.save(plain, os.path.join(folder, "f32.onnx"))
    quantize_static(ResNet18(tensors, fold=True).build(), os.path.join(folder, "s8.onnx"),
                    Images(cifar.normalise(pixels, task)), quant_format=QuantFormat.QDQ,
                    per_channel=True, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
    print(task.name)


if __name__ == "__main__":
    main()
