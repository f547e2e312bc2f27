/** PyTorch's side of the example export: what runs it, and what it says of the exits. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { SmallService } from '../server/support.ts';

/** A Python with torch; undefined, with a printed reason, where there is none. */
export const python = [process.env.TORCH_PYTHON, 'python3', '/usr/bin/python3'].find(
  (one) => one && spawnSync(one, ['-c', 'import torch']).status === 0,
);
if (!python) console.warn('skipped: no Python with torch (TORCH_PYTHON names another)');

const canDynamo =
  python !== undefined &&
  spawnSync(python, [
    '-c',
    'import inspect, onnxscript, torch; inspect.signature(torch.onnx.export).parameters["external_data"]',
  ]).status === 0;
/** A Python whose torch exports by torch.export; undefined, with a printed reason, where there is none. */
export const dynamoPython = canDynamo ? python : undefined;
if (python && !canDynamo)
  console.warn(`skipped: ${python} has no onnxscript, or a torch without dynamo export`);

/** Inputs, and what PyTorch makes of them at each exit. */
interface Reference {
  readonly inputs: Record<string, unknown>;
  readonly exits: Record<string, Record<string, number[][]>>;
}

export const readReference = (file: string): Reference =>
  JSON.parse(readFileSync(file, 'utf8')) as Reference;

/** Expects the service to answer as PyTorch does at every exit, to 1e-4. */
export async function expectSameExits(
  { app }: SmallService,
  name: string,
  { inputs, exits }: Reference,
): Promise<void> {
  for (const [depth, expected] of Object.entries(exits)) {
    const url = `/v1/tensor?model=${name}&rule=fixed&depth=${depth}`;
    const response = await app.inject({ method: 'POST', url, payload: { inputs } });
    expect(response.statusCode, response.body).toBe(200);
    const { outputs } = response.json<{ outputs: Record<string, number[][]> }>();
    for (const [output, values] of Object.entries(expected)) {
      const given = outputs[output]!.flat();
      const errors = values.flat().map((value, i) => Math.abs(value - given[i]!));
      expect(Math.max(...errors)).toBeLessThan(1e-4);
    }
  }
}
