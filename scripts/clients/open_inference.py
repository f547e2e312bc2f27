"""The Open Inference Protocol with Triton's own clients: python open_inference.py HTTP_HOST:PORT GRPC_HOST:PORT"""
import asyncio
import json
import sys
import urllib.request

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

http_url, grpc_url = sys.argv[1:]
MODEL = "sparse-recovery"
OTHER = "sparse-recovery-lista"
with urllib.request.urlopen(f"http://{http_url}/v1/models/{MODEL}") as answer:
    EXITS = json.load(answer)["exits"]
rng = np.random.default_rng(1)
x = rng.normal(0, 0.3, (5, 250)).astype(np.float32)


def inputs(module, **options):
    tensor = module.InferInput("measurements", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x, **options)
    return [tensor]


def same(result, expected, what):
    assert np.array_equal(result.as_numpy("depth"), expected.as_numpy("depth")), what
    assert result.as_numpy("signal").shape == (5, 500), what
    assert np.allclose(result.as_numpy("signal"), expected.as_numpy("signal"), atol=1e-5), what


def refused(call, words, what):
    try:
        call()
    except InferenceServerException as error:
        assert words in str(error), f"{what}: {error}"
    else:
        raise AssertionError(f"{what} was not refused")


def state_of(client, name):
    index = {model["name"]: model for model in client.get_model_repository_index()}
    return index[name]["state"], index[name].get("reason")


def over_http():
    with triton_http.InferenceServerClient(http_url) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL)
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        assert client.get_model_metadata(MODEL)["inputs"][0]["shape"] == [-1, 250]
        assert client.get_model_config(MODEL)["max_batch_size"] > 0
        assert MODEL in [model["name"] for model in client.get_model_repository_index()]
        client.unload_model(OTHER)
        assert state_of(client, OTHER) == ("UNAVAILABLE", "unloaded") and not client.is_model_ready(OTHER)
        client.load_model(OTHER)
        assert state_of(client, OTHER)[0] == "READY" and client.is_model_ready(OTHER)
        refused(lambda: client.load_model("no-such-folder"), "no folder no-such-folder", "an unknown folder")
        binary = client.infer(MODEL, inputs(triton_http))
        assert binary.as_numpy("depth").dtype == np.int32 and binary.as_numpy("pi").shape == (5, len(EXITS))
        assert set(binary.as_numpy("reason")) <= {b"policy", b"max_depth", b"load"}
        plain = [triton_http.InferRequestedOutput(name, binary_data=False) for name in ("signal", "depth")]
        same(client.infer(MODEL, inputs(triton_http, binary_data=False), outputs=plain), binary, "JSON")
        for encoding in ("gzip", "deflate"):
            packed = client.infer(
                MODEL,
                inputs(triton_http),
                request_compression_algorithm=encoding,
                response_compression_algorithm=encoding,
            )
            same(packed, binary, encoding)
        fixed = client.infer(MODEL, inputs(triton_http), request_id="a", parameters={"depth": EXITS[1]})
        assert set(fixed.as_numpy("depth")) == {EXITS[1]} and set(fixed.as_numpy("reason")) == {b"fixed"}
        assert fixed.get_response()["id"] == "a"
        text = client.infer(MODEL, inputs(triton_http), parameters={"threshold": "0.0"})
        assert set(text.as_numpy("depth")) == {EXITS[0]}
        stats = client.get_inference_statistics(MODEL)["model_stats"][0]
        assert stats["inference_count"] >= 30 and stats["inference_stats"]["success"]["ns"] > 0
        refused(lambda: client.infer("nobody", inputs(triton_http)), "no model nobody", "an unknown model")
        refused(
            lambda: client.infer(MODEL, inputs(triton_http), parameters={"depth": 77}),
            "depth=77 is not an exit",
            "a depth that is no exit",
        )
        return binary


async def over_aio(expected):
    async with triton_aio.InferenceServerClient(http_url) as client:
        assert await client.is_model_ready(MODEL)
        results = await asyncio.gather(*[client.infer(MODEL, inputs(triton_http)) for _ in range(4)])
        for result in results:
            same(result, expected, "aio")
        packed = await client.infer(MODEL, inputs(triton_http), request_compression_algorithm="gzip")
        same(packed, expected, "aio, gzip")


def over_grpc(expected):
    with triton_grpc.InferenceServerClient(grpc_url) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL)
        assert client.get_model_metadata(MODEL).inputs[0].shape == [-1, 250]
        assert client.get_model_config(MODEL).config.input[0].dims == [250]
        assert MODEL in [model.name for model in client.get_model_repository_index().models]
        same(client.infer(MODEL, inputs(triton_grpc)), expected, "gRPC")
        same(client.infer(MODEL, inputs(triton_grpc), compression_algorithm="gzip"), expected, "gRPC, gzip")
        lax = client.infer(MODEL, inputs(triton_grpc), parameters={"threshold": 0.01, "max_depth": EXITS[1]})
        assert lax.as_numpy("depth").max() <= EXITS[1]
        assert client.get_inference_statistics(MODEL).model_stats[0].inference_count > 0
        refused(lambda: client.infer("nobody", inputs(triton_grpc)), "no model nobody", "an unknown model")
        streamed = []
        client.start_stream(lambda result, error: streamed.append((result, error)))
        for request_id in ("first", "second"):
            client.async_stream_infer(MODEL, inputs(triton_grpc), request_id=request_id)
        client.async_stream_infer("nobody", inputs(triton_grpc))
        client.stop_stream()
        assert [error is None for _, error in streamed] == [True, True, False], streamed
        assert [result.get_response().id for result, _ in streamed[:2]] == ["first", "second"]
        same(streamed[0][0], expected, "stream")
        exits = []
        client.start_stream(lambda result, error: exits.append((result, error)))
        client.async_stream_infer(MODEL, inputs(triton_grpc), parameters={"exits": True})
        client.stop_stream()
        assert all(error is None for _, error in exits), exits
        *steps, last = [result for result, _ in exits]
        assert last.get_response().parameters["triton_final_response"].bool_param
        for sample, depth in enumerate(last.as_numpy("depth")):
            own = [step for step in steps if step.get_response().parameters["sample"].int64_param == sample]
            assert own[-1].as_numpy("depth")[0] == depth, (sample, depth)
            assert np.allclose(own[-1].as_numpy("signal")[0], last.as_numpy("signal")[sample]), sample


expected = over_http()
asyncio.run(over_aio(expected))
over_grpc(expected)
print("tritonclient: HTTP, aio and gRPC agree")
