"""Every task with nothing but numpy and the standard library: python examples/client.py [URL]"""
import base64
import io
import json
import pathlib
import sys
import urllib.request

import numpy as np

url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080"
samples = pathlib.Path("docs/samples")


def post(path, body, content_type):
    request = urllib.request.Request(url + path, body, {"Content-Type": content_type})
    return urllib.request.urlopen(request)


# An image in its own format; headers say how deep it went.
with post("/v1/denoise", (samples / "noisy.png").read_bytes(), "image/png") as answer:
    print("denoise: depth", answer.headers["x-stop-depth"], "of", answer.headers["x-max-depth"])
    pathlib.Path("denoised.png").write_bytes(answer.read())

# .npy in, .npy out.
with post("/v1/recover?max_depth=8", (samples / "measurements.npy").read_bytes(), "application/x-npy") as answer:
    signal = np.load(io.BytesIO(answer.read()))
    print("recover:", signal.shape, "depth", answer.headers["x-stop-depth"])

# The class of an image.
with post("/v1/recognize", (samples / "clean.jpg").read_bytes(), "image/jpeg") as answer:
    print("recognize:", json.load(answer)["label"])


# Classes from one example each; images in JSON are base64.
def drawing(name):
    return base64.b64encode((samples / f"characters/{name}.png").read_bytes()).decode()


support = [{"label": label, "image": drawing(f"{label}-1")} for label in ("anchor", "gate", "kite")]
body = {"support": support, "query": [drawing("query-1"), drawing("query-2")]}
with post("/v1/few-shot", json.dumps(body).encode(), "application/json") as answer:
    print("few-shot:", [prediction["label"] for prediction in json.load(answer)["predictions"]])

# Named tensors of any model, three samples at once.
body = {"model": "sparse-recovery", "inputs": {"measurements": np.zeros((3, 250)).tolist()}}
with post("/v1/tensor", json.dumps(body).encode(), "application/json") as answer:
    print("tensor: depths", [sample["depth"] for sample in json.load(answer)["samples"]])
