# Two stages: the first installs and compiles, the second holds what runs. The current Node LTS.
# For an NVIDIA GPU:
#   docker build --build-arg ONNXRUNTIME_NODE_INSTALL=cuda12 --build-arg RUNTIME=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04 -t stopwise .
#   docker run --gpus all -p 8080:8080 stopwise
# To pin the base image: --build-arg NODE=node@sha256:…
ARG NODE=node:24-bookworm-slim
ARG RUNTIME=${NODE}

FROM ${NODE} AS build
# What ONNX Runtime's own install script fetches beside the package: skip, or cuda12.
ARG ONNXRUNTIME_NODE_INSTALL=skip
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund && npm rebuild onnxruntime-node --ignore-scripts=false
COPY tsconfig.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund \
 # ONNX Runtime brings libraries for every system; this image is one of them.
 && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 -type d ! -name linux -exec rm -rf {} + \
 && rm -f dist/.tsbuildinfo

FROM ${RUNTIME}
# docker build --build-arg VERSION=… --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=stopwise
LABEL org.opencontainers.image.description="Runs networks layer by layer and stops each sample when a learnt policy fires."
LABEL org.opencontainers.image.licenses=MIT
LABEL org.opencontainers.image.version=${VERSION}
LABEL org.opencontainers.image.revision=${REVISION}
# The Vulkan loader, for EXECUTION_PROVIDER=webgpu. The driver is the host's or an image's built on this one.
RUN apt-get update && apt-get install -y --no-install-recommends libvulkan1 && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
# Objects of JavaScript alone, of each thread: a JSON body of 64 MiB needs 290 MB. Bodies, images and tensors are outside of it.
# Without a limit Node takes it from the machine, and the kernel would end the process before garbage is collected.
ENV NODE_OPTIONS=--max-old-space-size=768
# glibc in few arenas, with thresholds that do not move: the states of images are used again, what is larger is given back.
ENV MALLOC_ARENA_MAX=2
ENV MALLOC_MMAP_THRESHOLD_=16777216
ENV MALLOC_TRIM_THRESHOLD_=67108864
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY scripts/thread-pool.cjs ./
COPY proto ./proto
COPY public ./public
COPY docs/samples ./docs/samples
COPY models ./models
USER 1000:1000
EXPOSE 8080
# The service listens after its warm-up: 7 to 10 s of CPU time, so 60 s are enough for a quarter of a core.
HEALTHCHECK --interval=30s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Image codecs run in libuv's pool, which has four threads: busy or stuck ones would also stop file reads and name look-ups.
# The preloaded file gives it two for each worker and four more, unless UV_THREADPOOL_SIZE is set.
CMD ["node", "--require", "./thread-pool.cjs", "dist/main.js"]
