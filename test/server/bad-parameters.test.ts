/** Parameters, model names and paths that are refused. What is checked of each is in requests.ts. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  expectProblem,
  JSON_TYPE,
  noiseImages,
  requestsTo,
  vector,
  type BadRequests,
} from './requests.ts';
import { startSmallService, type SmallService } from './support.ts';

let service: SmallService;
let gray: Buffer;
let color: Buffer;
beforeAll(async () => {
  service = await startSmallService();
  ({ gray, color } = await noiseImages());
});
afterAll(() => service.close());

const { post, recover } = requestsTo(() => service);

describe('a bad parameter or path gets a problem that says what to change, and the next good request is served', () => {
  const png = { 'content-type': 'image/png' };
  const cases: BadRequests = {
    'a blank threshold': [
      400,
      'bad-parameter',
      /threshold is blank/,
      () => post('/v1/denoise?threshold=%20', color, png),
    ],
    'a threshold that is not finite': [
      400,
      'bad-parameter',
      /threshold must be a finite number/,
      () => post('/v1/denoise?threshold=-Infinity', color, png),
    ],
    'a deadline beyond any number': [
      400,
      'bad-parameter',
      /deadline_ms must be a finite number/,
      () => post('/v1/denoise?deadline_ms=1e400', color, png),
    ],
    'a seed that is not finite': [
      400,
      'bad-parameter',
      /seed must be a finite number/,
      () => post('/v1/recover?rule=sample&seed=Infinity', '{}', JSON_TYPE),
    ],
    'a model with a long name': [
      404,
      'unknown-model',
      /^There is no model x{80}…; .{1,200}$/,
      () => recover({ measurements: vector(), model: 'x'.repeat(1_000_000) }),
    ],
    'unknown model': [
      404,
      'unknown-model',
      /small-recovery/,
      () => recover({ measurements: vector() }, '?model=nobody'),
    ],
    'model of another task': [
      400,
      'wrong-task',
      /denoise/,
      () => recover({ measurements: vector() }, '?model=small-gray'),
    ],
    'unknown query parameter': [
      400,
      'bad-parameter',
      /treshold/,
      () => recover({ measurements: vector() }, '?treshold=0.5'),
    ],
    'repeated query parameter': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=0.5&threshold=0.6'),
    ],
    'unknown rule': [
      400,
      'bad-parameter',
      /rule/,
      () => recover({ measurements: vector() }, '?rule=maybe'),
    ],
    'threshold out of range': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=1.5'),
    ],
    'threshold that is no number': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=half'),
    ],
    'seed out of range': [
      400,
      'bad-parameter',
      /seed/,
      () => recover({ measurements: vector() }, '?rule=sample&seed=-1'),
    ],
    'depth at no exit': [
      400,
      'bad-parameter',
      /2, 3, 4/,
      () => post('/v1/denoise?rule=fixed&depth=1', gray, png),
    ],
    'fixed without depth': [
      400,
      'bad-parameter',
      /depth/,
      () => recover({ measurements: vector() }, '?rule=fixed'),
    ],
    'depth of zero': [
      400,
      'bad-parameter',
      /depth/,
      () => recover({ measurements: vector() }, '?rule=fixed&depth=0'),
    ],
    'max_depth before the first exit': [
      400,
      'bad-parameter',
      /first exit/,
      () => post('/v1/denoise?max_depth=1', gray, png),
    ],
    'min_depth beyond the last': [
      400,
      'bad-parameter',
      /beyond/,
      () => recover({ measurements: vector() }, '?min_depth=6'),
    ],
    'deadline below zero': [
      400,
      'bad-parameter',
      /deadline_ms/,
      () => recover({ measurements: vector() }, '?deadline_ms=-1'),
    ],
    'stopping in the body': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector(), stopping: { threshold: 'x' } }),
    ],
    'a grid of depths beside an image': [
      400,
      'bad-parameter',
      /format=json.*format=depth/,
      () => post('/v1/denoise?depth_map=true', gray, png),
    ],
    'unknown format': [
      400,
      'bad-parameter',
      /format/,
      () => post('/v1/denoise?format=bmp', gray, png),
    ],
    'another method': [
      405,
      'method-not-allowed',
      /POST/,
      () => service.app.inject({ method: 'GET', url: '/v1/recover' }),
    ],
    'a path that cannot be decoded': [
      404,
      'not-found',
      /path/,
      () => service.app.inject({ method: 'GET', url: '/v1/models/%E0%A4%A' }),
    ],
    'another path': [
      404,
      'not-found',
      /nothing at/,
      () => service.app.inject({ method: 'GET', url: '/v3/recover' }),
    ],
    'a file that is not the task’s': [
      404,
      'not-found',
      /matrix.npy/,
      () =>
        service.app.inject({ method: 'GET', url: '/v1/models/small-recovery/files/layer-01.onnx' }),
    ],
    'a file outside': [
      404,
      'not-found',
      /./,
      () =>
        service.app.inject({
          method: 'GET',
          url: '/v1/models/small-recovery/files/..%2f..%2fpackage.json',
        }),
    ],
  };
  it.each(Object.entries(cases))('%s', (_, bad) => expectProblem(service, bad));
});
