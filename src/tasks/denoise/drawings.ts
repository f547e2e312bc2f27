/** Clean graphics as people post them: text, windows, charts, diagrams, flats, gradients, dithering. Drawn, so that none is copied. */
import type { Planes } from '../../codecs/images.ts';
import { drawCharacters } from '../../data/characters.ts';
import type { Random } from '../../data/random.ts';
import { box, Canvas, disc, polygon, stroke, type Colour, type Point } from './canvas.ts';
import { drawTypeface, drawWords, widthOf, write } from './glyphs.ts';
import { blend, drawPalette, luma, pick, type Palette } from './palette.ts';

interface Scene extends Palette {
  readonly canvas: Canvas;
  readonly random: Random;
}

type Size = readonly [width: number, height: number];

/** What may be drawn, and how often. */
const styles: readonly { name: string; weight: number; draw: (scene: Scene) => void }[] = [
  { name: 'page of text', weight: 0.25, draw: drawPage },
  { name: 'window', weight: 0.2, draw: drawWindow },
  { name: 'chart', weight: 0.15, draw: drawChart },
  { name: 'diagram', weight: 0.1, draw: drawDiagram },
  { name: 'handwriting', weight: 0.08, draw: drawHandwriting },
  { name: 'flat', weight: 0.08, draw: () => undefined },
  { name: 'gradient', weight: 0.07, draw: drawGradient },
  { name: 'dithered', weight: 0.07, draw: drawDithered },
];

/** A drawing of the given size, in RGB of 8 bits. */
export function drawDrawing([width, height]: Size, random: Random): Planes {
  const palette = drawPalette(random);
  const canvas = new Canvas(width, height, palette.ground);
  let at = random.uniform();
  const style = styles.find(({ weight }) => (at -= weight) < 0) ?? styles[0]!;
  style.draw({ ...palette, canvas, random });
  return canvas.toPlanes();
}

function drawPage({ canvas, random, ink, accents }: Scene): void {
  const face = drawTypeface(random, 6 + 22 * random.uniform() ** 2);
  const line = face.size * (1.7 + 0.6 * random.uniform());
  const margin = 4 + random.integer(24);
  for (let y = margin; y < canvas.height - margin; y += line) {
    if (random.uniform() < 0.1) continue;
    const full = (canvas.width - 2 * margin) / widthOf('x', face);
    const length = Math.floor(full * (random.uniform() < 0.2 ? 0.5 : 1));
    const colour = random.uniform() < 0.1 ? pick(accents, random) : ink;
    write(canvas, drawWords(random, length), [margin, y], face, colour);
  }
}

/** A title bar, a side bar, fields and buttons: edges on whole pixels, corners round. */
function drawWindow({ canvas, random, ground, ink, accents }: Scene): void {
  const { width, height } = canvas;
  const size = 6 + random.integer(7);
  const face = drawTypeface(random, size);
  const bar = 3 * size;
  canvas.paint(box(0, 0, width, bar), pick(accents, random));
  for (let i = 0; i < 3; i++)
    canvas.paint(disc(width - (i + 0.7) * bar, bar / 2, size / 2), i === 0 ? ink : ground);
  write(canvas, drawWords(random, 14), [size, size], face, ground);
  const side = Math.floor(width * (0.15 + 0.2 * random.uniform()));
  canvas.paint(box(0, bar, side, height - bar), blend(ground, ink, 0.08));
  canvas.paint(box(side, bar, 1, height - bar), blend(ground, ink, 0.3));
  for (let y = bar + size; y < height - size; y += Math.round(2.6 * size)) {
    if (random.uniform() < 0.15)
      canvas.paint(box(4, y - size / 2, side - 8, 2 * size, 3), pick(accents, random));
    write(canvas, drawWords(random, 4 + random.integer(6)), [size, y], face, ink);
    drawControl({ canvas, random, ground, ink, accents }, [side + 2 * size, y], size);
  }
}

/** A line of text, a button, a field, a tick box or a progress bar. */
function drawControl(scene: Scene, [left, y]: Point, size: number): void {
  const { canvas, random, ground, ink, accents } = scene;
  const face = drawTypeface(random, size);
  const room = canvas.width - left - size;
  const top = Math.round(y - size / 2);
  const kind = random.uniform();
  if (kind < 0.4) {
    write(canvas, drawWords(random, Math.floor(room / widthOf('x', face))), [left, y], face, ink);
  } else if (kind < 0.6) {
    const colour = pick(accents, random);
    const label = drawWords(random, 7);
    canvas.paint(box(left, top, widthOf(label, face) + 2 * size, 2 * size, 4), colour);
    write(canvas, label, [left + size, y], face, luma(colour) > 0.5 ? [0, 0, 0] : [1, 1, 1]);
  } else if (kind < 0.75) {
    canvas.paint(box(left, top, room, 2 * size, 2), blend(ground, ink, 0.5));
    canvas.paint(box(left + 1, top + 1, room - 2, 2 * size - 2, 1), ground);
    write(canvas, drawWords(random, 9), [left + size, y], face, blend(ground, ink, 0.6));
  } else if (kind < 0.9) {
    canvas.paint(box(left, top, 2 * size, 2 * size), ink);
    canvas.paint(box(left + 1, top + 1, 2 * size - 2, 2 * size - 2), ground);
    const tick: Point[] = [
      [left + 0.5 * size, top + size],
      [left + 0.9 * size, top + 1.5 * size],
      [left + 1.6 * size, top + 0.5 * size],
    ];
    canvas.paint(stroke(tick, 1.6), pick(accents, random));
    write(canvas, drawWords(random, 11), [left + 3 * size, y], face, ink);
  } else {
    canvas.paint(box(left, y, room, size, size / 2), blend(ground, ink, 0.2));
    canvas.paint(box(left, y, room * random.uniform(), size, size / 2), pick(accents, random));
  }
}

/** Axes, a grid, and bars, curves, points or sectors. */
function drawChart(scene: Scene): void {
  const { canvas, random, ground, ink, accents } = scene;
  const { width, height } = canvas;
  const [left, top] = [Math.round(0.12 * width), Math.round(0.08 * height)];
  const [across, down] = [width - 2 * left, height - 3 * top];
  const face = drawTypeface(random, 6 + random.integer(5));
  write(canvas, drawWords(random, 16), [left, top / 3], face, ink);
  const kind = random.uniform();
  if (kind < 0.2) return drawSectors(scene);
  for (let i = 0; i <= 5; i++) {
    const y = Math.round(top + (down * i) / 5);
    canvas.paint(box(left, y, across, 1), blend(ground, ink, 0.25));
    write(canvas, `${10 * (5 - i)}`, [left - 3.5 * face.size, y - face.size / 2], face, ink);
  }
  const count = 4 + random.integer(12);
  const series = 1 + random.integer(3);
  for (let s = 0; s < series; s++) {
    const colour = accents[s]!;
    let value = random.uniform();
    const points = Array.from({ length: count }, (_, i): Point => {
      value = Math.min(1, Math.max(0, value + 0.25 * random.normal()));
      return [left + (across * (i + 0.5)) / count, top + down * (1 - value)];
    });
    const bar = across / count / (series + 1);
    for (const [x, y] of points) {
      if (kind < 0.5)
        canvas.paint(box(Math.round(x + (s - series / 2) * bar), y, bar, top + down - y), colour);
      else if (kind > 0.8) canvas.paint(disc(x, y, 2.5), colour);
    }
    if (kind >= 0.5 && kind < 0.65)
      canvas.paint(
        polygon([[left, top + down], ...points, [left + across, top + down]]),
        blend(ground, colour, 0.5),
      );
    if (kind >= 0.5 && kind < 0.9) canvas.paint(stroke(points, 1 + 2 * random.uniform()), colour);
  }
  canvas.paint(box(left, top, 1, down), ink);
  canvas.paint(box(left, top + down, across, 1), ink);
}

function drawSectors({ canvas, random, ground, accents }: Scene): void {
  const { width, height } = canvas;
  const radius = 0.38 * Math.min(width, height);
  const [x, y] = [width / 2, height / 2 + 0.04 * height];
  const cuts = Array.from({ length: accents.length - 1 }, () => random.uniform()).sort(
    (a, b) => a - b,
  );
  accents.forEach((colour, i) => {
    const [from, to] = [cuts[i - 1] ?? 0, cuts[i] ?? 1].map((cut) => 2 * Math.PI * cut) as [
      number,
      number,
    ];
    const arc = Array.from({ length: 25 }, (_, k): Point => {
      const angle = from + ((to - from) * k) / 24;
      return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    });
    canvas.paint(polygon([[x, y], ...arc]), colour);
  });
  if (random.uniform() < 0.5) canvas.paint(disc(x, y, 0.5 * radius), ground);
}

/** Boxes with labels, joined by lines. */
function drawDiagram({ canvas, random, ground, ink, accents }: Scene): void {
  const { width, height } = canvas;
  const size = 7 + random.integer(6);
  const face = drawTypeface(random, size);
  const nodes = Array.from({ length: 4 + random.integer(5) }, (): Point => [
    (0.1 + 0.8 * random.uniform()) * width,
    (0.1 + 0.8 * random.uniform()) * height,
  ]);
  const pen = 1 + 1.5 * random.uniform();
  nodes.forEach((node, i) => {
    const to = nodes[(i + 1) % nodes.length]!;
    const corner: Point = random.uniform() < 0.5 ? [to[0], node[1]] : node;
    canvas.paint(stroke([node, corner, to], pen), ink);
  });
  for (const [x, y] of nodes) {
    const label = drawWords(random, 4 + random.integer(6));
    const [across, down] = [widthOf(label, face) + 2 * size, 3 * size];
    const round = random.uniform() < 0.3 ? down / 2 : 3 * random.integer(2);
    const [left, top] = [Math.round(x - across / 2), Math.round(y - down / 2)];
    canvas.paint(box(left, top, across, down, round), ink);
    const fill = random.uniform() < 0.6 ? pick(accents, random) : ground;
    canvas.paint(box(left + pen, top + pen, across - 2 * pen, down - 2 * pen, round), fill);
    const text: Colour = luma(fill) > 0.5 ? [0, 0, 0] : [1, 1, 1];
    write(canvas, label, [left + size, top + size], face, text);
  }
}

/** Rows of made-up characters, each different. */
function drawHandwriting({ canvas, random, ground, ink }: Scene): void {
  const side = 14 + random.integer(30);
  const gap = Math.round(side / 4);
  const { images } = drawCharacters(12, 2, side, random);
  for (let top = gap; top + side < canvas.height; top += side + 2 * gap) {
    for (let left = gap; left + side < canvas.width; left += side + gap) {
      if (random.uniform() < 0.15) continue;
      const { data } = pick(images, random);
      canvas.shade([left, top, left + side, top + side], (x, y) =>
        blend(ink, ground, data[(y - top) * side + x - left]!),
      );
    }
  }
}

/** From one colour to another along a line or from a point, with bands where 8 bits are too few. */
function drawGradient({ canvas, random, ground, accents }: Scene): void {
  const { width, height } = canvas;
  const to = pick(accents, random);
  const angle = 2 * Math.PI * random.uniform();
  const radial = random.uniform() < 0.3;
  canvas.shade([0, 0, width, height], (x, y) => {
    const [right, down] = [x / width - 0.5, y / height - 0.5];
    const along = Math.cos(angle) * right + Math.sin(angle) * down;
    return blend(
      ground,
      to,
      radial ? Math.min(1, 1.4 * Math.hypot(right, down)) : 0.5 + along / 1.42,
    );
  });
}

/** Thresholds of ordered dithering, 4×4 (Bayer 1973). */
const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];

/** A gradient in two colours, dithered in cells of one or two pixels, with a disc in it. */
function drawDithered({ canvas, random, ground, ink }: Scene): void {
  const { width, height } = canvas;
  const cell = 1 + random.integer(2);
  const [x0, y0] = [width * random.uniform(), height * random.uniform()];
  const radius = 0.3 * height;
  canvas.shade([0, 0, width, height], (x, y) => {
    const [column, row] = [Math.floor(x / cell), Math.floor(y / cell)];
    const inDisc = Math.hypot(x - x0, y - y0) < radius;
    const tone = inDisc ? 1 - y / height : (x / width + y / height) / 2;
    return tone > (BAYER[4 * (row & 3) + (column & 3)]! + 0.5) / 16 ? ink : ground;
  });
}
