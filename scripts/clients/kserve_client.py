"""The Open Inference Protocol with KServe's SDK: python kserve_client.py HTTP_URL GRPC_HOST:PORT"""
import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

http_url, grpc_url = sys.argv[1:]
MODEL = "sparse-recovery"
x = np.random.default_rng(1).normal(0, 0.3, (5, 250)).astype(np.float32)


def request(binary):
    tensor = InferInput("measurements", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x, binary_data=binary)
    return InferRequest(MODEL, [tensor])


def outputs(response):
    return {output.name: output.as_numpy() for output in response.outputs}


async def main():
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await rest.is_server_live(http_url) and await rest.is_server_ready(http_url)
    assert await rest.is_model_ready(http_url, MODEL)
    grpc = InferenceGRPCClient(grpc_url)
    assert await grpc.is_model_ready(MODEL)
    answers = [
        await rest.infer(http_url, request(False), MODEL),
        await rest.infer(http_url, request(True), MODEL),
        await grpc.infer(request(True)),
    ]
    first, *others = map(outputs, answers)
    assert first["signal"].shape == (5, 500) and first["depth"].shape == (5,)
    for other in others:
        assert np.array_equal(other["depth"], first["depth"])
        assert np.allclose(other["signal"], first["signal"], atol=1e-5)
    await rest.close()
    await grpc.close()
    print("kserve: REST with JSON and binary tensors, gRPC: equal answers")


asyncio.run(main())
