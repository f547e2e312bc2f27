/** The grid of sparsity × SNR that recovery is reported on. */
import type { Range } from '../../../src/data/random.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { recoveryMix, type RecoveryRequest } from '../../../src/tasks/sparse-recovery/traffic.ts';

/** Cells along each side of the grid of sparsity × SNR. */
const CELLS = 6;

/** A cell of the grid, both from 0 to 5: sparsity in equal steps of its logarithm, SNR in equal steps of dB. */
export interface Cell {
  readonly sparsity: number;
  readonly snr: number;
}

/** The cell that holds a request; values beyond the mix fall into the nearest cell. */
export const cellOf = ({ sparsity, snr }: Pick<RecoveryRequest, 'sparsity' | 'snr'>): Cell => ({
  sparsity: cellIn(recoveryMix.sparsity, sparsity),
  snr: cellIn(recoveryMix.snr, snr),
});

/** The lower and upper bounds of a cell: shares, and dB. */
export const boundsOf = ({ sparsity, snr }: Cell): Record<keyof Cell, [number, number]> => ({
  sparsity: [edge(recoveryMix.sparsity, sparsity), edge(recoveryMix.sparsity, sparsity + 1)],
  snr: [edge(recoveryMix.snr, snr), edge(recoveryMix.snr, snr + 1)],
});

function cellIn({ from, to, spacing }: Range, value: number): number {
  const place =
    spacing === 'log' ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from);
  return Math.min(CELLS - 1, Math.max(0, Math.floor(CELLS * place)));
}

const edge = ({ from, to, spacing }: Range, i: number): number =>
  spacing === 'log' ? from * (to / from) ** (i / CELLS) : from + ((to - from) * i) / CELLS;

/** A request's conditions with `nmse.sample(output, truth)`: its squared error and its power. */
export interface Recovered extends Pick<RecoveryRequest, 'sparsity' | 'snr' | 'scale'> {
  readonly parts: readonly [error: number, power: number];
}

/** The mean over requests of their NMSE in dB: every request counts alike. */
export const meanNmse = (all: readonly Recovered[]): number =>
  all.reduce((sum, { parts }) => sum + nmse.total([parts]), 0) / all.length;

/** NMSE of all requests together, dB, each at scale one: the noisiest decide it. */
export const pooledNmse = (all: readonly Recovered[]): number =>
  nmse.total(
    all.map(({ parts: [error, power], scale }) => [error / scale ** 2, power / scale ** 2]),
  );

/** The cell whose mean NMSE in dB is the highest, of those that hold a request. */
export function worstCell(all: readonly Recovered[]): Cell & { mean: number; count: number } {
  const cells = new Map<string, Recovered[]>();
  for (const request of all) {
    const key = Object.values(cellOf(request)).join();
    cells.set(key, [...(cells.get(key) ?? []), request]);
  }
  return [...cells.values()]
    .map((list) => ({ ...cellOf(list[0]!), mean: meanNmse(list), count: list.length }))
    .reduce((worst, cell) => (cell.mean > worst.mean ? cell : worst));
}
