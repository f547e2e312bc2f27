"""LitServe with ONNX Runtime. Arguments: PORT; environment: RECOVERY, DENOISER (ONNX files)."""
import io
import os
import sys

import litserve as ls
import numpy as np
import onnxruntime
from fastapi import Request, Response
from PIL import Image


def session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(os.environ[name], options)


class Recovery(ls.LitAPI):
    def setup(self, device):
        self.session = session("RECOVERY")

    def decode_request(self, request):
        return np.asarray(request["measurements"], dtype=np.float32)

    def predict(self, measurements):
        return self.session.run(None, {"measurements": np.atleast_2d(measurements)})[0]

    def batch(self, inputs):
        return np.stack(inputs)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"signals": np.atleast_2d(output).tolist()}


class Denoiser(ls.LitAPI):
    def setup(self, device):
        self.session = session("DENOISER")

    def decode_request(self, request: Request):
        image = Image.open(request["image"].file).convert("L")
        return np.asarray(image)[None, None].astype(np.float32) / 255

    def predict(self, image):
        return self.session.run(None, {"image": image})[0]

    def encode_response(self, output):
        pixels = np.rint(np.clip(output[0, 0], 0, 1) * 255).astype(np.uint8)
        answer = io.BytesIO()
        Image.fromarray(pixels).save(answer, "PNG")
        return Response(answer.getvalue(), media_type="image/png")


if __name__ == "__main__":
    server = ls.LitServer(
        [
            Recovery(api_path="/json", max_batch_size=16, batch_timeout=0.001),
            Denoiser(api_path="/png"),
        ],
        accelerator="cpu",
        workers_per_device=2,
    )
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="warning", generate_client_file=False)
