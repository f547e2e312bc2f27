"""Recovers a sparse signal, exit by exit, and plots it. Needs numpy and matplotlib.

Cells (`# %%`) run one by one in an editor or, through jupytext, in a notebook; or all at once:
STOPWISE_URL=http://localhost:8080 python examples/recover-and-plot.py
"""
# %% A sparse signal, and fewer measurements than it has values
import io
import json
import os
import urllib.request

import matplotlib.pyplot as plt
import numpy as np

url = os.environ.get("STOPWISE_URL", "http://localhost:8080")
with urllib.request.urlopen(f"{url}/v1/models/sparse-recovery/files/matrix.npy") as answer:
    matrix = np.load(io.BytesIO(answer.read()))

rng = np.random.default_rng(1)
rows, columns = matrix.shape
signal = rng.normal(size=columns) * (rng.random(columns) < 0.1)
clean = matrix @ signal
noise = rng.normal(size=rows)
snr_db = 30
measurements = clean + noise * np.linalg.norm(clean) / np.linalg.norm(noise) * 10 ** (-snr_db / 20)


# %% Recover it: an event at each exit with a preview, then the result
def events(path, body):
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as stream:
        for line in stream:
            field, _, value = line.decode().strip().partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


def error_db(estimate):
    return 20 * np.log10(np.linalg.norm(estimate - signal) / np.linalg.norm(signal))


exits = [(0, 0.0)]  # Nothing recovered is an error of 0 dB.
for name, data in events("/v1/recover?preview=true", {"measurements": measurements.tolist()}):
    if name == "exit":
        exits.append((data["depth"], error_db(data["answer"])))
        print(f"depth {data['depth']}: error {exits[-1][1]:.1f} dB, pi {data['pi']}")
    elif name == "result":
        result = data
    else:
        raise RuntimeError(data)
recovered = np.array(result["signals"][0])

# %% Plot both
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=(3, 1), layout="constrained")
left.stem(signal, linefmt="C7-", markerfmt=" ", basefmt=" ", label="signal")
left.plot(np.flatnonzero(np.abs(recovered) > 0.01), recovered[np.abs(recovered) > 0.01], "C1x", label="recovered")
left.set(title=f"{columns} values from {rows} measurements", xlabel="index")
left.legend()
right.plot(*zip(*exits), "o-")
right.set(title=f"stopped at depth {result['samples'][0]['depth']}", xlabel="depth", ylabel="error, dB")
figure.savefig("recovered.png")
plt.show()
