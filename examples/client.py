"""Denoise, recover and infer with nothing but numpy and the standard library: python examples/client.py [URL]"""
import io
import json
import sys
import urllib.request

import numpy as np

url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080"


def post(path, body, content_type):
    request = urllib.request.Request(url + path, body, {"Content-Type": content_type})
    return urllib.request.urlopen(request)


# An image in its own format; headers say how deep it went.
with open("docs/samples/noisy.png", "rb") as file, post("/v1/denoise", file.read(), "image/png") as answer:
    print("denoise: depth", answer.headers["x-stop-depth"], "of", answer.headers["x-max-depth"])
    open("denoised.png", "wb").write(answer.read())

# .npy in, .npy out.
with open("docs/samples/measurements.npy", "rb") as file:
    with post("/v1/recover?max_depth=8", file.read(), "application/x-npy") as answer:
        signal = np.load(io.BytesIO(answer.read()))
        print("recover:", signal.shape, "depth", answer.headers["x-stop-depth"])

# Named tensors of any model, three samples at once.
body = {"model": "sparse-recovery", "inputs": {"measurements": np.zeros((3, 250)).tolist()}}
with post("/v1/tensor", json.dumps(body).encode(), "application/json") as answer:
    print("tensor: depths", [sample["depth"] for sample in json.load(answer)["samples"]])
