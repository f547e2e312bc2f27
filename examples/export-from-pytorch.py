"""Exports early-exit networks from PyTorch as bundles that stopwise serves.

    python examples/export-from-pytorch.py cnn models/my-cnn      a CNN with three exits
    python examples/export-from-pytorch.py ista models/my-ista    ISTA, unrolled, six layers with three exits

To export a network of your own, write a module for each segment (the layers up to the next exit) and call `export_bundle`.
A segment takes model inputs and states and returns the new states, then pi [N] in (0, 1), except for the last one. The
weights here are random: load your own. `--without-policies` leaves pi out, for `npm run train -- policy`. `--samples DIR`
writes inputs and target (what the last exit gives) as .npy files, in the form that `train policy` and `calibrate` read.
`--reference FILE` writes a few inputs and PyTorch's outputs at each exit as JSON.
"""
import argparse
import hashlib
import inspect
import json
import pathlib

import numpy
import torch
from torch import nn


class Block(nn.Module):
    """One segment of the CNN: a convolution, a classifier on the mean over pixels, and a policy."""

    def __init__(self, channels, features, classes, mean=None, std=None, last=False):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, 3, stride=2, padding=1)
        self.head = nn.Linear(features, classes)
        # A confidence becomes pi: sigmoid(a (confidence - b)), to be fitted on held-out data.
        self.slope, self.offset = nn.Parameter(torch.tensor(8.0)), nn.Parameter(torch.tensor(0.5))
        # Normalisation belongs into the graph, so that callers send pixels in [0, 1].
        self.normalise = mean is not None
        if self.normalise:
            self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.last = last

    def forward(self, x):
        if self.normalise:
            x = (x - self.mean) / self.std
        h = torch.relu(self.conv(x))
        logits = self.head(h.mean((2, 3)))
        if self.last:
            return (logits,)
        confidence = torch.softmax(logits, 1).amax(1)
        return h, logits, torch.sigmoid(self.slope * (confidence - self.offset))


def cnn():
    blocks = [
        Block(3, 16, 10, mean=[0.507, 0.487, 0.441], std=[0.267, 0.256, 0.276]),
        Block(16, 32, 10),
        Block(32, 64, 10, last=True),
    ]
    return {
        "inputs": {"image": [3, 32, 32]},
        "states": {"h1": [16, 16, 16], "h2": [32, 8, 8], "logits": [10]},
        "outputs": ["logits"],
        "segments": [
            (1, blocks[0], ["image"], ["h1", "logits"]),
            (2, blocks[1], ["h1"], ["h2", "logits"]),
            (3, blocks[2], ["h2"], ["logits"]),
        ],
    }


class Ista(nn.Module):
    """Two layers of x <- soft(x + step A^T (y - A x), threshold); pi is high where the residual is small."""

    def __init__(self, matrix, first=False, last=False):
        super().__init__()
        self.register_buffer("matrix", matrix)
        step = 1 / torch.linalg.matrix_norm(matrix, 2).item() ** 2
        self.step = nn.Parameter(torch.full((2,), step))
        self.threshold = nn.Parameter(torch.full((2,), 0.1 * step))
        self.first, self.last = first, last

    def residual(self, y, x):
        return y - x @ self.matrix.T

    def forward(self, y, x=None):
        if self.first:
            x = y @ torch.zeros_like(self.matrix)
        for step, threshold in zip(self.step.unbind(), self.threshold.unbind()):
            x = x + step * (self.residual(y, x) @ self.matrix)
            x = torch.sign(x) * torch.relu(torch.abs(x) - threshold)
        if self.last:
            return (x,)
        ratio = self.residual(y, x).square().sum(1) / (y.square().sum(1) + 1e-6)
        return x, torch.sigmoid(4 - 40 * ratio)


def ista(m=20, n=40):
    matrix = torch.randn(m, n) / m**0.5
    segments = [Ista(matrix, first=True), Ista(matrix), Ista(matrix, last=True)]
    return {
        "inputs": {"y": [m]},
        "states": {"x": [n]},
        "outputs": ["x"],
        "segments": [
            (2, segments[0], ["y"], ["x"]),
            (4, segments[1], ["y", "x"], ["x"]),
            (6, segments[2], ["y", "x"], ["x"]),
        ],
    }


def export_bundle(directory, inputs, states, outputs, segments, threshold=0.5, policies=True):
    """Writes one ONNX file for each segment, and manifest.json with the checksums of all files.

    inputs, states: shapes without the batch, by name; outputs: the states that answers hold
    segments: (exit, module, names read, names written) in order; exit is the depth in layers
    policies: whether the segments' pi is exported
    """
    directory.mkdir(parents=True, exist_ok=True)
    shapes, rows, before = {**inputs, **states}, [], 0
    for exit_, module, reads, writes in segments:
        file = f"layer-{exit_:02}.onnx"
        names = [f"next_{name}" for name in writes] + (["pi"] if policies and exit_ != segments[-1][0] else [])
        export_onnx(First(module, len(names)), directory / file, {name: shapes[name] for name in reads}, names)
        rows.append({"file": file, "first": before + 1, "last": exit_, "reads": reads, "writes": writes})
        before = exit_
    ports = lambda names: [{"name": name, "dtype": "float32", "shape": ["N", *shapes[name]]} for name in names]
    none = [0] * len(segments)
    manifest = {
        "schema_version": 2,
        "name": directory.name,
        "version": "1",
        "task": "tensor",
        "family": "pytorch",
        "default": False,
        "depth": before,
        "exits": [segment[0] for segment in segments],
        "inputs": ports(inputs),
        "states": ports(states),
        "outputs": ports(outputs),
        "segments": rows,
        "decoders": [],
        "threshold": threshold,
        "flops": {"per": "sample", "segments": none, "heads": none, "policies": none},
        "training": {"exporter": f"torch {torch.__version__}"},
        "files": {
            row["file"]: {
                "sha256": hashlib.sha256((directory / row["file"]).read_bytes()).hexdigest(),
                "bytes": (directory / row["file"]).stat().st_size,
            }
            for row in rows
        },
        "task_files": [],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


class First(nn.Module):
    """The first outputs of a module: those of a segment without its pi."""

    def __init__(self, module, count):
        super().__init__()
        self.module, self.count = module, count

    def forward(self, *values):
        return tuple(self.module(*values))[: self.count]


def export_onnx(module, path, inputs, output_names):
    """One graph with its weights inside; the batch is free in every input and output."""
    # Newer versions of PyTorch export by torch.export, which needs onnxscript; the older way needs the package onnx.
    legacy = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        module.eval(),
        tuple(torch.zeros(2, *shape) for shape in inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=output_names,
        dynamic_axes={name: {0: "N"} for name in [*inputs, *output_names]},
        opset_version=17,
        **legacy,
    )


@torch.no_grad()
def run(inputs, outputs, segments, count, **_):
    """Random inputs, and what PyTorch gives for them at each exit."""
    given = {name: torch.rand(count, *shape) for name, shape in inputs.items()}
    values, exits = dict(given), {}
    for exit_, module, reads, writes in segments:
        values.update(zip(writes, module.eval()(*[values[name] for name in reads])))
        exits[exit_] = {name: values[name] for name in outputs}
    return given, exits


def reference(network):
    given, exits = run(**network, count=5)
    lists = lambda tensors: {name: tensor.tolist() for name, tensor in tensors.items()}
    return {"inputs": lists(given), "exits": {exit_: lists(tensors) for exit_, tensors in exits.items()}}


def write_samples(directory, network, count=5000):
    """Random inputs stand for yours. The target is a class for scores, else the values of the last exit."""
    directory.mkdir(parents=True, exist_ok=True)
    given, exits = run(**network, count=count)
    output = exits[network["segments"][-1][0]][network["outputs"][0]]
    target = output.argmax(1) if network["outputs"][0] == "logits" else output
    for name, tensor in {**given, "target": target}.items():
        numpy.save(directory / f"{name}.npy", tensor.numpy())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["cnn", "ista"])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--without-policies", action="store_true")
    parser.add_argument("--samples", type=pathlib.Path)
    parser.add_argument("--reference", type=pathlib.Path)
    options = parser.parse_args()
    torch.manual_seed(1)
    network = {"cnn": cnn, "ista": ista}[options.network]()
    export_bundle(options.directory, **network, policies=not options.without_policies)
    if options.reference:
        options.reference.write_text(json.dumps(reference(network)))
    if options.samples:
        write_samples(options.samples, network)
    print(f"{options.directory}: now run npm run bundle -- check {options.directory}")
