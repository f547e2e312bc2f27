// A bare node:http server with ONNX Runtime, in two processes: what one would write without a framework.
// Arguments: PORT RECOVERY.onnx DENOISER.onnx
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const [port, recovery, denoiser] = process.argv.slice(2);
const WORKERS = 2;

async function serve() {
  sharp.concurrency(1);
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  const recover = await InferenceSession.create(recovery, options);
  const denoise = await InferenceSession.create(denoiser, options);
  const signalOf = async (measurements) => {
    const { signal } = await recover.run({
      measurements: new Tensor('float32', measurements, [1, measurements.length]),
    });
    return signal.data;
  };
  const routes = {
    async '/json'(body) {
      const { measurements } = JSON.parse(body);
      const signal = await signalOf(Float32Array.from(measurements));
      return ['application/json', JSON.stringify({ signals: [Array.from(signal)] })];
    },
    async '/binary'(body) {
      const signal = await signalOf(new Float32Array(new Uint8Array(body).buffer));
      return [
        'application/octet-stream',
        new Uint8Array(signal.buffer, signal.byteOffset, signal.byteLength),
      ];
    },
    async '/png'(body) {
      const { data, info } = await sharp(body)
        .toColourspace('b-w')
        .raw()
        .toBuffer({ resolveWithObject: true });
      const { width, height } = info;
      const image = Float32Array.from(data, (value) => value / 255);
      const { denoised } = await denoise.run({
        image: new Tensor('float32', image, [1, 1, height, width]),
      });
      const bytes = Uint8ClampedArray.from(denoised.data, (value) => 255 * value);
      return [
        'image/png',
        await sharp(bytes, { raw: { width, height, channels: 1 } })
          .toColourspace('b-w')
          .png()
          .toBuffer(),
      ];
    },
  };
  createServer(async (request, response) => {
    try {
      const [type, answer] = await routes[request.url](await buffer(request));
      response.setHeader('content-type', type);
      response.end(answer);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }).listen(Number(port), '127.0.0.1');
}

if (cluster.isPrimary) for (let i = 0; i < WORKERS; i++) cluster.fork();
else await serve();
