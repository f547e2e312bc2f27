/** What a task demands of a bundle that names it, in sentences that end a refusal. */
import type { Manifest, Port } from '../../bundle/manifest.ts';

/** The number of dimensions of each input and output by name, the batch among them. */
export interface Ports {
  readonly inputs: Readonly<Record<string, number>>;
  readonly outputs: Readonly<Record<string, number>>;
}

/** @throws a sentence where an input or output is missing, is unknown or has another rank */
export function checkPorts({ name, task, inputs, outputs }: Manifest, expected: Ports): void {
  const check = (
    kind: string,
    found: readonly Port[],
    ranks: Readonly<Record<string, number>>,
  ): void => {
    const wanted = Object.keys(ranks).join(', ');
    if (found.length !== Object.keys(ranks).length || found.some((port) => !(port.name in ranks)))
      throw new Error(
        `${name} does not fit the task ${task}: its ${kind}s are ${found.map((port) => port.name).join(', ')}, not ${wanted}.`,
      );
    for (const port of found)
      if (port.shape.length !== ranks[port.name])
        throw new Error(
          `${name} does not fit the task ${task}: its ${kind} ${port.name} has ${port.shape.length} dimensions, not ${ranks[port.name]}.`,
        );
  };
  check('input', inputs, expected.inputs);
  check('output', outputs, expected.outputs);
}
