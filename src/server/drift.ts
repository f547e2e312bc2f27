/** An exact test of whether early answers are further from full depth than at calibration. */
import { binomialTail } from '../util/binomial.ts';

/** The share of early answers beyond the calibrated distance while the traffic is as it was. */
const EXPECTED = 0.05;
/** Shadow runs that are looked back on. */
const WINDOW = 1000;

/** The latest shadow runs of one model. */
export class Drift {
  private readonly beyond: boolean[] = [];

  /** @param distance in units of the quantile that 5 % exceeded at calibration */
  add(distance: number): void {
    this.beyond.push(distance > 1);
    if (this.beyond.length > WINDOW) this.beyond.shift();
  }

  /** P(as many or more beyond the quantile) if 5 % still exceed it: an exact one-sided binomial test. */
  get pValue(): number {
    const n = this.beyond.length;
    const within = this.beyond.filter((isBeyond) => !isBeyond).length;
    return binomialTail(within, n, 1 - EXPECTED);
  }
}
