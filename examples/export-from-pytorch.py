"""Exports early-exit networks from PyTorch as bundles that stopwise serves.

    python examples/export-from-pytorch.py cnn models/my-cnn      a CNN with three exits
    python examples/export-from-pytorch.py ista models/my-ista    ISTA, unrolled, six layers with three exits

To export a network of your own, write a module for each segment (the layers up to the next exit) and call `export_bundle`.
A segment takes model inputs and states and returns the new states, then pi [N] in (0, 1), except for the last one. The
weights here are random: load your own, or train the CNN on CIFAR-100 with `--data DIR`, the folder with the files `train` and
`test` of cifar-100-python.tar.gz (they are pickles: load none that you do not trust); `--weights FILE` keeps what was trained.
`--dynamo` exports by torch.export. `--without-policies` leaves pi out, for `npm run train -- policy`. `--samples DIR` writes
inputs and target (what the last exit gives) as .npy files, in the form that `train policy` and `calibrate` read; with `--data`
those are the images that training left out, and test-image.npy and test-target.npy the test set. `--reference FILE` writes a
few inputs and PyTorch's outputs at each exit as JSON.
"""
import argparse
import hashlib
import inspect
import json
import pathlib
import pickle

import numpy
import torch
from torch import nn


def normed(channels, features, kernel=3, stride=1):
    """A convolution and batch norm, which the export folds into one."""
    conv = nn.Conv2d(channels, features, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(features))


class Block(nn.Module):
    """One segment of the CNN: a residual block that halves the sides, a classifier on the mean over pixels, and a policy."""

    def __init__(self, channels, features, classes, mean=None, std=None, last=False):
        super().__init__()
        # Normalisation belongs into the graph, so that callers send pixels in [0, 1].
        self.first, self.last = mean is not None, last
        if self.first:
            self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
            self.stem = normed(3, channels)
        self.path = nn.Sequential(normed(channels, features, stride=2), nn.ReLU(), normed(features, features))
        self.shortcut = normed(channels, features, kernel=1, stride=2)
        self.head = nn.Linear(features, classes)
        # A confidence becomes pi: sigmoid(a (confidence - b)), to be fitted on held-out data.
        self.slope, self.offset = nn.Parameter(torch.tensor(8.0)), nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        if self.first:
            x = torch.relu(self.stem((x - self.mean) / self.std))
        h = torch.relu(self.path(x) + self.shortcut(x))
        logits = self.head(h.mean((2, 3)))
        if self.last:
            return (logits,)
        confidence = torch.softmax(logits, 1).amax(1)
        return h, logits, torch.sigmoid(self.slope * (confidence - self.offset))


def cnn(classes=10, features=(16, 32, 64)):
    first, second, third = features
    blocks = [
        Block(16, first, classes, mean=[0.507, 0.487, 0.441], std=[0.267, 0.256, 0.276]),
        Block(first, second, classes),
        Block(second, third, classes, last=True),
    ]
    return {
        "inputs": {"image": [3, 32, 32]},
        "states": {"h1": [first, 16, 16], "h2": [second, 8, 8], "logits": [classes]},
        "outputs": ["logits"],
        "segments": [
            (1, blocks[0], ["image"], ["h1", "logits"]),
            (2, blocks[1], ["h1"], ["h2", "logits"]),
            (3, blocks[2], ["h2"], ["logits"]),
        ],
    }


def read_cifar(file):
    """Images [n,3,32,32] in [0, 1] and classes [n] of a file of CIFAR-100 for Python."""
    with open(file, "rb") as opened:
        rows = pickle.load(opened, encoding="latin1")
    images = torch.tensor(numpy.asarray(rows["data"])).view(-1, 3, 32, 32).float() / 255
    return images, torch.tensor(rows["fine_labels"])


def logits_of(blocks, images):
    """The logits of every exit."""
    logits, h = [], images
    for block in blocks[:-1]:
        h, scores, _ = block(h)
        logits.append(scores)
    return [*logits, *blocks[-1](h)]


@torch.no_grad()
def evaluate(blocks, images):
    """The logits of every exit, with the statistics of batch norm that training gathered."""
    parts = [logits_of(blocks.eval(), part) for part in images.split(500)]
    return [torch.cat(exit_) for exit_ in zip(*parts)]


def augment(images):
    """Each image shifted by up to four pixels, and half of them mirrored."""
    padded = nn.functional.pad(images, (4, 4, 4, 4))
    y, x = (torch.randint(9, (len(images), 1)) + torch.arange(32) for _ in range(2))
    x = torch.where(torch.rand(len(images), 1) < 0.5, x, x.flip(1))
    image = torch.arange(len(images))[:, None, None]
    # Channels come last here; in memory they stay so, which is faster on a CPU.
    return padded[image, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def train_cnn(blocks, images, classes, epochs, batch=128):
    """Cross-entropy at all exits together."""
    optimiser = torch.optim.SGD(blocks.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = epochs * -(-len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps)
    blocks.train()
    for epoch in range(epochs):
        for rows in torch.randperm(len(images)).split(batch):
            logits = logits_of(blocks, augment(images[rows]))
            loss = sum(nn.functional.cross_entropy(one, classes[rows]) for one in logits)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss {loss.item():.3f}", flush=True)


def fit_policies(blocks, images, classes):
    """Makes pi of each exit the probability that its class is right, on images that training left out."""
    for block, scores in zip(blocks[:-1], evaluate(blocks, images)):
        confidence = torch.softmax(scores, 1).amax(1)
        right = (scores.argmax(1) == classes).float()
        optimiser = torch.optim.LBFGS([block.slope, block.offset], max_iter=100, line_search_fn="strong_wolfe")

        def loss():
            optimiser.zero_grad()
            pi = torch.sigmoid(block.slope * (confidence - block.offset))
            error = nn.functional.binary_cross_entropy(pi, right)
            error.backward()
            return error

        optimiser.step(loss)


def cifar_cnn(folder, epochs, weights):
    """The CNN, wider and trained; and images with classes that training left out, and the test set's, by name."""
    images, classes = read_cifar(folder / "train")
    test_images, test_classes = read_cifar(folder / "test")
    # The same images are left out whenever the weights are read again.
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    kept, left_out = order[len(images) // 10 :], order[: len(images) // 10]
    network = cnn(classes=100, features=(32, 64, 128))
    blocks = nn.ModuleList(segment[1] for segment in network["segments"])
    if weights and weights.exists():
        blocks.load_state_dict(torch.load(weights))
    else:
        train_cnn(blocks, images[kept], classes[kept], epochs)
        fit_policies(blocks, images[left_out], classes[left_out])
        if weights:
            torch.save(blocks.state_dict(), weights)
    shares = [(one.argmax(1) == test_classes).float().mean().item() for one in evaluate(blocks, test_images)]
    print("accuracy on the test set, exit by exit:", *(f"{share:.1%}" for share in shares))
    samples = {"image": images[left_out], "target": classes[left_out]}
    return network, {**samples, "test-image": test_images, "test-target": test_classes}


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


def export_bundle(directory, inputs, states, outputs, segments, threshold=0.5, policies=True, dynamo=False):
    """Writes one ONNX file for each segment, and manifest.json with the checksums of all files.

    inputs, states: shapes without the batch, by name; outputs: the states that answers hold
    segments: (exit, module, names read, names written) in order; exit is the depth in layers
    policies: whether the segments' pi is exported
    dynamo: whether torch.export is used, which needs onnxscript
    """
    directory.mkdir(parents=True, exist_ok=True)
    shapes, rows, before = {**inputs, **states}, [], 0
    for exit_, module, reads, writes in segments:
        file = f"layer-{exit_:02}.onnx"
        names = [f"next_{name}" for name in writes] + (["pi"] if policies and exit_ != segments[-1][0] else [])
        export_onnx(First(module, len(names)), directory / file, {name: shapes[name] for name in reads}, names, dynamo)
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


def export_onnx(module, path, inputs, output_names, dynamo=False):
    """One graph with its weights inside; the batch is free in every input and output."""
    # torch.export needs the package onnxscript; the older way needs the package onnx.
    known = inspect.signature(torch.onnx.export).parameters
    if dynamo:
        if "external_data" not in known:
            raise SystemExit(f"--dynamo needs a newer PyTorch; this is {torch.__version__}")
        batch = torch.export.Dim("N")
        # The forward of First takes its inputs as one list of arguments.
        axes = {"dynamic_shapes": (tuple({0: batch} for _ in inputs),), "opset_version": 18}
        way = {**axes, "dynamo": True, "external_data": False, "verbose": False}
    else:
        axes = {name: {0: "N"} for name in [*inputs, *output_names]}
        way = {"dynamic_axes": axes, "opset_version": 17, **({"dynamo": False} if "dynamo" in known else {})}
    torch.onnx.export(
        module.eval(),
        tuple(torch.zeros(2, *shape) for shape in inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=output_names,
        **way,
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


def random_samples(network, count=5000):
    """Random inputs stand for yours. The target is a class for scores, else the values of the last exit."""
    given, exits = run(**network, count=count)
    output = exits[network["segments"][-1][0]][network["outputs"][0]]
    target = output.argmax(1) if network["outputs"][0] == "logits" else output
    return {**given, "target": target}


def write_samples(directory, samples):
    directory.mkdir(parents=True, exist_ok=True)
    for name, tensor in samples.items():
        numpy.save(directory / f"{name}.npy", tensor.numpy())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["cnn", "ista"])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--without-policies", action="store_true")
    parser.add_argument("--dynamo", action="store_true", help="export by torch.export")
    parser.add_argument("--data", type=pathlib.Path, help="train the cnn on CIFAR-100: folder with the files train and test")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--weights", type=pathlib.Path, help="with --data: written after training, read where the file exists")
    parser.add_argument("--samples", type=pathlib.Path)
    parser.add_argument("--reference", type=pathlib.Path)
    options = parser.parse_args()
    if options.data and options.network != "cnn":
        parser.error("--data trains the cnn alone")
    if options.weights and not options.data:
        parser.error("--weights goes with --data")
    torch.manual_seed(1)
    if options.data:
        network, samples = cifar_cnn(options.data, options.epochs, options.weights)
    else:
        network, samples = {"cnn": cnn, "ista": ista}[options.network](), None
    export_bundle(options.directory, **network, policies=not options.without_policies, dynamo=options.dynamo)
    if options.reference:
        options.reference.write_text(json.dumps(reference(network)))
    if options.samples:
        write_samples(options.samples, samples or random_samples(network))
    print(f"{options.directory}: now run npm run bundle -- check {options.directory}")
