"""The runtime of both models for MLServer: tensors in and out by the Open Inference Protocol."""
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Onnx(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        array = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        (output,) = self.session.run(None, {payload.inputs[0].name: array})
        output_tensor = NumpyCodec.encode_output("output", output)
        return InferenceResponse(model_name=self.name, outputs=[output_tensor])
