"""Writes the checkpoints in this folder with PyTorch itself.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python make_fixtures.py <folder to write to>

The network is resnet10-tiny (model_store/arch/architecture.cpp). Every element follows a formula
that needs no PyTorch (`fill`), is exact in half precision and in bfloat16, and is computed again by
tests/unit/checkpoint_files.h. Most files hold 16-bit values, only to keep the repository small.
The committed files come from PyTorch 2.15.0.
"""

import sys
import zlib
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        layers = []
        if stride != 1 or inputs != outputs:
            layers = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*layers)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """Torchvision's names; `width`, `stem` and `blocks` choose the form."""

    def __init__(self, width=8, stem=3, blocks=1, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, stem, 1 if stem == 3 else 2, stem // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(1, 5):
            outputs = width << (stage - 1)
            layers = []
            for block in range(blocks):
                stride = 2 if stage > 1 and block == 0 else 1
                layers.append(Block(inputs, outputs, stride))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(width * 8, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def fill(name, count):
    """Multiples of 1/128 in [-0.5, 0.5); one more for a running variance."""
    seed = zlib.crc32(name.encode())
    first = 0.5 if name.endswith("running_var") else -0.5
    return [((i * 2654435761 + seed) % 2**32 >> 25) / 128 + first for i in range(count)]


def filled(model):
    state = model.state_dict()
    with torch.no_grad():
        for name, tensor in state.items():
            if tensor.is_floating_point():
                tensor.copy_(torch.tensor(fill(name, tensor.numel())).reshape(tensor.shape))
    return model.eval()


def cifar_name(name):
    return name.replace("downsample", "shortcut").replace("fc.", "linear.")


def save_torchscript(module, path):
    """Without the debug records, which name the folders of the machine that wrote them."""
    module.save(str(path))
    reader = torch._C.PyTorchFileReader(str(path))
    # The writer adds these itself.
    own = ("version", "byteorder", ".data/", ".format_version", ".storage_alignment")
    records = [r for r in reader.get_all_records() if not r.endswith(".debug_pkl")]
    data = {r: reader.get_record(r) for r in records if not r.startswith(own)}
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, record in data.items():
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()


def main(folder):
    image = torch.zeros(1, 3, 32, 32)

    torch.save(filled(ResNet()).state_dict(), folder / "state_dict_f32.pt")

    # As the common CIFAR training code saves it, from a DataParallel model.
    state = filled(ResNet()).half().state_dict()
    net = OrderedDict(("module." + cifar_name(n), t) for n, t in state.items())
    torch.save({"net": net, "acc": 91.2, "epoch": 3}, folder / "nested_cifar_f16.pt")

    channels_last = filled(ResNet()).half().to(memory_format=torch.channels_last)
    torch.save({"state_dict": channels_last.state_dict()}, folder / "channels_last_f16.pt")

    torch.save(filled(ResNet()).bfloat16().state_dict(), folder / "state_dict_bf16.pt")

    save_torchscript(torch.jit.trace(filled(ResNet()), image).half(), folder / "traced_f16.pt")
    save_torchscript(torch.jit.script(filled(ResNet())).half(), folder / "scripted_f16.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
