"""Checks the few-shot model and its meta-gradients against PyTorch: python scripts/meta-gradient.py

The classifier and its steps of gradient descent are written here a second time, from their definition, in double
precision; autograd differentiates through the steps. What the graphs give in single precision, from meta-gradient.mjs,
must agree: the queries' logits and the outer loss after every step, and the gradients of the last loss by everything
learnt, of second order and of first. Needs `npm run build` before it, and PyTorch.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

TOLERANCE = 1e-3
BLOCKS = 4
EPSILON = 1e-3
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def normalised(y, by=None):
    """y [n,F,h,w] by its own mean and deviation in each channel, or by those of another batch; and which."""
    mean, deviation = by or (y.mean((0, 2, 3), keepdim=True), (y.var((0, 2, 3), correction=0, keepdim=True) + EPSILON).sqrt())
    return (y - mean) / deviation, (mean, deviation)


def features(p, images, statistics=None):
    """Images [n,C,side,side] → features [n,D], and the statistics of each block."""
    x, found = images, []
    for i in range(1, BLOCKS + 1):
        height, width = x.shape[2:]
        x = F.pad(x, (0, width % 2, 0, height % 2))
        # Four neighbours become four channels: by row, by column, then the channels.
        x = torch.cat([x[:, :, a::2, b::2] for a in (0, 1) for b in (0, 1)], 1)
        y, by = normalised(F.conv2d(x, p[f"kernel-{i}"], padding=1), statistics and statistics[i - 1])
        found.append(by)
        x = F.relu(y * p[f"scale-{i}"] + p[f"shift-{i}"])
    x = x.flatten(1)
    return x / (x.square().mean(1, keepdim=True) + EPSILON).sqrt(), found


def support_loss(logits, labels):
    """The mean over the classes of the mean cross-entropy of their images."""
    misses = F.cross_entropy(logits, labels, reduction="none")
    return torch.stack([misses[labels == k].mean() for k in labels.unique()]).mean()


def adapt(theta, task, depth, order):
    """The queries' logits after each of the steps."""
    support, query, labels = task["support"], task["query"], task["classes"]
    ways = task["ways"]
    body = {name: theta[name] for name in theta if name.split("-")[0] in ("kernel", "scale", "shift")}
    seen, _ = features(body, support)
    p = dict(body, head=torch.zeros(seen.shape[1], ways, requires_grad=True))
    answers = []
    for t in range(1, depth + 1):
        moves = ["head"] if t == 1 else [*body, "head"]
        temper = 1 if t == 1 else theta[f"temper-{t}"]
        # Copies: the head came from the blocks, and by them alone the loss must not be differentiated through it.
        at = {name: value.clone() for name, value in p.items()}
        loss = support_loss(temper * features(at, support)[0] @ at["head"], labels)
        gradients = torch.autograd.grad(loss, [at[name] for name in moves], create_graph=True)
        for name, g in zip(moves, gradients):
            rate = theta[f"rate-{t}-{name}"] * (ways if name == "head" else 1)
            p[name] = p[name] - rate * (g.detach() if order == "first" else g)
        _, statistics = features(p, support)
        answers.append(features(p, query, statistics)[0] @ p["head"])
    return answers


def difference(found, expected):
    """The largest difference, relative to the largest value that is expected; where that is zero, as it is."""
    found = torch.as_tensor(found).reshape(expected.shape)
    return ((found - expected).abs().max() / (expected.abs().max() or 1)).item()


def main():
    dumped = subprocess.run(["node", Path(__file__).with_suffix(".mjs")], check=True, capture_output=True).stdout
    given = json.loads(dumped)
    config = given["config"]
    read = lambda tensor: torch.tensor(tensor["data"], dtype=torch.float64).reshape(tensor["shape"])
    task = {name: read(tensor)[0] for name, tensor in given["task"].items()}
    for name in ("support", "query"):
        task[name] = task[name] - config["background"]
    task["ways"] = task["labels"].shape[1]
    task["classes"], truth = task["labels"].argmax(1), task["targets"].argmax(1)
    worst = {}
    for order in ("second", "first"):
        theta = {name: read(tensor).requires_grad_() for name, tensor in given["parameters"].items()}
        logits = adapt(theta, task, config["depth"], order)
        losses = [F.cross_entropy(values, truth) for values in logits]
        if order == "second":
            answers = given["second"]
            worst["logits"] = max(map(difference, answers["logits"], logits))
            worst["outer losses"] = max(map(difference, answers["losses"], losses))
        # To first order the tempers, which only scale the gradients of steps, have none.
        gradients = dict(zip(theta, torch.autograd.grad(losses[-1], list(theta.values()), materialize_grads=True)))
        errors = {name: difference(given[order]["gradients"][name], g) for name, g in gradients.items()}
        name = max(errors, key=errors.get)
        worst[f"gradients of {order} order, {len(errors)} tensors, worst {name}"] = errors[name]
        if order == "second":
            exact = gradients
        else:
            apart = max(difference(g, exact[name]) for name, g in gradients.items())
            print(f"first order is up to {apart:.2f} from second order, relative to it")
    for what, error in worst.items():
        print(f"{error:.1e}  {what}")
    return 0 if max(worst.values()) < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
