/** The learning curve as a page beside the checkpoint, which a browser shows while training runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunProgress } from '../training/loop.ts';

/** How often the page is written, and how often it loads itself again, s. */
const WRITE_SECONDS = 5;
/** Points that a stage may have. */
const MAX_POINTS = 400;
const WIDTH = 720;
const HEIGHT = 240;

interface Curve {
  readonly points: [progress: number, loss: number][];
  /** What was reported last. */
  last: RunProgress;
}

/** Collects the losses of a training and writes `curve.html`. A resumed training begins a new curve. */
export class CurvePage {
  readonly file: string;
  private readonly curves = new Map<string, Curve>();
  private writtenAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly name: string,
    folder: string,
  ) {
    this.file = join(folder, 'curve.html');
  }

  update(state: RunProgress): void {
    const { stage, progress, loss } = state;
    if (Number.isNaN(loss)) return;
    let curve = this.curves.get(stage);
    if (!curve) this.curves.set(stage, (curve = { points: [], last: state }));
    curve.last = state;
    const before = curve.points.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY;
    if (progress - before >= 1 / MAX_POINTS) curve.points.push([progress, loss]);
    if (performance.now() - this.writtenAt < WRITE_SECONDS * 1000) return;
    if (this.writtenAt === Number.NEGATIVE_INFINITY)
      console.log(`The learning curve: ${this.file}`);
    this.writtenAt = performance.now();
    this.write(true);
  }

  /** Writes the page for the last time, where there is something to show. */
  close(): void {
    if (this.curves.size > 0) this.write(false);
  }

  private write(isRunning: boolean): void {
    const refresh = isRunning ? `<meta http-equiv="refresh" content="${WRITE_SECONDS}">` : '';
    const stages = [...this.curves.entries()].map(([stage, curve]) => section(stage, curve));
    writeFileSync(
      this.file,
      `<!doctype html><html lang="en"><meta charset="utf-8">${refresh}<title>${this.name}</title>
<style>body{font:16px system-ui;max-width:${WIDTH}px;margin:2em auto;padding:0 1em}svg{width:100%;background:#8881}
polyline{fill:none;stroke:#2a7ae2;stroke-width:2}</style>
<h1>${this.name}</h1>
${stages.join('\n')}
</html>
`,
    );
  }
}

function section(stage: string, { points, last }: Curve): string {
  const [low, high] = range(points.map(([, loss]) => loss));
  const line = points.map(([progress, loss]) => {
    const y = (HEIGHT - 10) * (1 - (Math.min(loss, high) - low) / (high - low || 1)) + 5;
    return `${(WIDTH * progress).toFixed(1)},${y.toFixed(1)}`;
  });
  const left = Math.max(0, Math.ceil(last.totalSecondsLeft / 60));
  const words = [
    `step ${last.step}`,
    `loss ${last.loss.toPrecision(4)}`,
    `${low.toPrecision(4)} to ${high.toPrecision(4)} shown`,
    ...(Number.isFinite(left) ? [`about ${left} min left in all`] : []),
  ];
  return `<h2>${stage}, ${(100 * last.progress).toFixed(0)} %</h2><p>${words.join(', ')}</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="loss over the stage"><polyline points="${line.join(' ')}"/></svg>`;
}

/** The losses to show: what a stage begins with is often far above the rest, and is cut off. */
function range(losses: readonly number[]): [low: number, high: number] {
  const sorted = [...losses].sort((a, b) => a - b);
  const high = sorted[Math.floor(0.97 * (sorted.length - 1))]!;
  return [sorted[0]!, high];
}
