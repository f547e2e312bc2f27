#!/bin/sh
# Every route with curl, from the repository's root: examples/client.sh [URL]
set -eu
url=${1:-http://localhost:8080}
samples=docs/samples
npy='Content-Type: application/x-npy'
json='Content-Type: application/json'

# Tasks. Headers say how deep an answer went.
curl -fsS -D - -o denoised.png -F image=@$samples/noisy.png "$url/v1/denoise?max_depth=8" | grep -iE '^x-(model|stop|max|tol|gua)'
curl -fsS -o signal.npy -H "$npy" --data-binary @$samples/measurements.npy "$url/v1/recover"
curl -fsS -F image=@$samples/clean.jpg "$url/v1/recognize" && echo
(cd $samples/characters && curl -fsS "$url/v1/few-shot" -F label=anchor -F support=@anchor-1.png \
  -F label=gate -F support=@gate-1.png -F query=@query-1.png) && echo
curl -fsS -o tensor.npy -H "$npy" --data-binary @$samples/measurements.npy "$url/v1/tensor?model=sparse-recovery"

# Event streams: an event for each exit while the answer is computed, then the result.
curl -fsSN -H 'Accept: text/event-stream' -H "$json" -d @$samples/measurements.json "$url/v1/recover" |
  grep -A1 '^event: exit'

# Models
curl -fsS -o models.json "$url/v1/models"
curl -fsS -o manifest.json "$url/v1/models/sparse-recovery"
curl -fsS -o matrix.npy "$url/v1/models/sparse-recovery/files/matrix.npy"
curl -fsS -o manifest.schema.json "$url/manifest.schema.json"

# Open Inference Protocol: the server, a model (also as …/versions/VERSION), inference
for path in /v2 /v2/health/live /v2/health/ready /v2/models/sparse-recovery /v2/models/sparse-recovery/ready; do
  curl -fsS "$url$path" && echo
done
curl -fsS -o config.json "$url/v2/models/sparse-recovery/config"
# JSON, and raw values: what follows the 128 bytes of the .npy header.
values=$(sed 's/[^[]*//; s/}$//' $samples/measurements.json)
curl -fsS -o infer.json -H "$json" "$url/v2/models/sparse-recovery/infer" -d '{"parameters": {"max_depth": 8},
  "inputs": [{"name": "measurements", "datatype": "FP32", "shape": [1, 250], "data": '"$values"'}]}'
tail -c 1000 $samples/measurements.npy | curl -fsS -o infer.bin -H 'Inference-Header-Content-Length: 0' \
  --data-binary @- "$url/v2/models/sparse-recovery/infer"
curl -fsS "$url/v2/models/sparse-recovery/stats" && echo
curl -fsS -o stats.json "$url/v2/models/stats"

# Repository: loading and unloading are refused (403) unless the service runs with ALLOW_REPOSITORY=true.
curl -fsS -X POST "$url/v2/repository/index" && echo
if curl -fsS -X POST "$url/v2/repository/models/sparse-recovery-lista/unload"; then
  curl -fsS -X POST "$url/v2/repository/models/sparse-recovery-lista/load" && echo
fi

# Operations
curl -fsS "$url/health/live" && echo
curl -fsS "$url/health/ready" && echo
curl -fsS -o metrics.txt "$url/metrics"
curl -fsS -o openapi.json "$url/openapi.json"
