"""BentoML with ONNX Runtime. Environment: RECOVERY, DENOISER (ONNX files)."""
import os
from typing import List

import bentoml
import numpy as np
import onnxruntime
from PIL.Image import Image
from PIL.Image import fromarray


def session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(os.environ[name], options)


@bentoml.service(workers=2, logging={"access": {"enabled": False}})
class Networks:
    def __init__(self) -> None:
        self.recovery = session("RECOVERY")
        self.denoiser = session("DENOISER")

    @bentoml.api(route="/json")
    def recover(self, measurements: List[float]) -> np.ndarray:
        row = np.asarray(measurements, dtype=np.float32)[None]
        return self.recovery.run(None, {"measurements": row})[0]

    @bentoml.api(route="/png")
    def denoise(self, image: Image, /) -> Image:
        pixels = np.asarray(image.convert("L"))[None, None].astype(np.float32) / 255
        (output,) = self.denoiser.run(None, {"image": pixels})
        return fromarray(np.rint(np.clip(output[0, 0], 0, 1) * 255).astype(np.uint8))
