#!/bin/sh
# Every route with curl, from the repository's root: examples/client.sh [URL]
set -eu
url=${1:-http://localhost:8080}
samples=docs/samples

curl -fsS "$url/health/ready" && echo
curl -fsS -D - -o denoised.png -F image=@$samples/noisy.png "$url/v1/denoise?max_depth=8" | grep -i '^x-'
curl -fsS -o signal.npy -H 'Content-Type: application/x-npy' --data-binary @$samples/measurements.npy "$url/v1/recover"
curl -fsS -F image=@$samples/clean.jpg "$url/v1/recognize" && echo
(cd $samples/characters && curl -fsS "$url/v1/few-shot" -F label=anchor -F support=@anchor-1.png \
  -F label=gate -F support=@gate-1.png -F query=@query-1.png) && echo
curl -fsS -o tensor.npy -H 'Content-Type: application/x-npy' --data-binary @$samples/measurements.npy \
  "$url/v1/tensor?model=sparse-recovery"
curl -fsS "$url/v2/models/sparse-recovery" && echo
