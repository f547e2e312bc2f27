/** The service that the tests of the Open Inference Protocol call, and what they send. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../../src/data/random.ts';
import { smallFewShot, smallModels, writeModels } from '../../support/small.ts';
import { startSmallService, type SmallService } from '../support.ts';

/** The small models of three tasks, and a folder "broken" that holds no model. */
export async function startWithBroken(): Promise<SmallService> {
  const modelsDir = await writeModels([...smallModels(), smallFewShot()]);
  await mkdir(join(modelsDir, 'broken'));
  await writeFile(join(modelsDir, 'broken', 'manifest.json'), '{}');
  return startSmallService({ modelsDir });
}

/** Requests to a service that may start later than this is called. */
export function requestsTo(service: () => SmallService) {
  const get = (url: string) => service().app.inject(url);
  const infer = (
    payload: object | Buffer,
    headers: Record<string, string> = {},
    model = 'small-recovery',
  ) => service().app.inject({ method: 'POST', url: `/v2/models/${model}/infer`, payload, headers });
  return { get, infer };
}

export const N = 3;
/** [N,12] measurements. */
export const rows = new Float32Array(N * 12);
new Random(4).fillNormal(rows, 1);

export const jsonInput = {
  name: 'measurements',
  shape: [N, 12],
  datatype: 'FP32',
  data: Array.from(rows),
};
