"""FastAPI with ONNX Runtime. Environment: RECOVERY, DENOISER (ONNX files)."""
import io
import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response
from PIL import Image

app = FastAPI()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
recovery = onnxruntime.InferenceSession(os.environ["RECOVERY"], options)
denoiser = onnxruntime.InferenceSession(os.environ["DENOISER"], options)


def recover(measurements: np.ndarray) -> np.ndarray:
    return recovery.run(None, {"measurements": measurements.reshape(1, -1)})[0]


@app.post("/json")
async def json(request: Request) -> Response:
    body = orjson.loads(await request.body())
    signals = recover(np.asarray(body["measurements"], dtype=np.float32))
    answer = orjson.dumps({"signals": signals}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(answer, media_type="application/json")


@app.post("/binary")
async def binary(request: Request) -> Response:
    signals = recover(np.frombuffer(await request.body(), dtype=np.float32))
    return Response(signals.tobytes(), media_type="application/octet-stream")


@app.post("/png")
async def png(request: Request) -> Response:
    image = np.asarray(Image.open(io.BytesIO(await request.body())).convert("L"))
    (denoised,) = denoiser.run(None, {"image": image[None, None].astype(np.float32) / 255})
    pixels = np.rint(np.clip(denoised[0, 0], 0, 1) * 255).astype(np.uint8)
    answer = io.BytesIO()
    Image.fromarray(pixels).save(answer, "PNG")
    return Response(answer.getvalue(), media_type="image/png")
