import { SingleBar } from 'cli-progress';
import type { RunProgress } from '../training/loop.ts';

/** Progress of a training: a bar on a terminal, a line every 30 s elsewhere. */
export class ProgressBar {
  private bar: SingleBar | undefined;
  private stage = '';
  private printedAt = 0;

  update(state: RunProgress): void {
    const { stage, step, progress, loss, stepsPerSecond, secondsLeft, totalSecondsLeft } = state;
    const words = {
      stage,
      step,
      loss: Number.isNaN(loss) ? '–' : loss.toPrecision(4),
      rate: stepsPerSecond.toPrecision(3),
      left: duration(secondsLeft),
      total: duration(totalSecondsLeft),
    };
    if (!process.stderr.isTTY) {
      if (performance.now() - this.printedAt < 30_000 && progress < 1) return;
      this.printedAt = performance.now();
      console.error(
        `${stage} ${(100 * progress).toFixed(1)} %, step ${step}, loss ${words.loss}, ${words.rate} steps/s, ${words.left} left, ${words.total} in all`,
      );
      return;
    }
    if (stage !== this.stage) {
      this.stop();
      this.stage = stage;
      const format =
        '{stage} [{bar}] {percentage} % | step {step} | loss {loss} | {rate} steps/s | {left} left, {total} in all';
      this.bar = new SingleBar({ format, hideCursor: true, stream: process.stderr });
      this.bar.start(1000, 0, words);
    }
    this.bar?.update(Math.round(1000 * progress), words);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

/** Progress of other work, whose parts are named as it goes on. */
export class WorkBar {
  private bar: SingleBar | undefined;
  private readonly startedAt = performance.now();
  private printedAt = performance.now();

  /** @param share of the whole that is done, 0..1 */
  update(what: string, share: number): void {
    if (!process.stderr.isTTY) {
      if (performance.now() - this.printedAt < 30_000) return;
      this.printedAt = performance.now();
      const left = ((this.printedAt - this.startedAt) / 1000) * (1 / share - 1);
      console.error(`${what} ${(100 * share).toFixed(0)} %, ${duration(left)} left`);
      return;
    }
    if (!this.bar) {
      const format = '[{bar}] {percentage} % | {what} | {eta_formatted} left';
      this.bar = new SingleBar({
        format,
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      });
      this.bar.start(1000, 0, { what });
    }
    this.bar.update(Math.round(1000 * share), { what });
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((value) =>
    Math.floor(Math.max(value, 0)),
  ) as [number, number, number];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`;
}
