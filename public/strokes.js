/** Strokes of a drawing, each a list of points `[x, y]`. */
import { element } from './dom.js';

/** Side of the file, pixels. */
const FILE_SIDE = 105;
/** The longer side of the drawing in the file, and its strokes, pixels. */
const FILE_INK = 70;
const FILE_STROKE = 3;

/** Draws strokes; a single point becomes a dot. */
export function trace(context, strokes) {
  context.lineCap = context.lineJoin = 'round';
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point);
    context.stroke();
  }
}

/**
 * The strokes as a PNG file: centred and of the usual size, dark on white.
 * @param least the side, in the units of the points, that a smaller drawing counts as
 */
export function strokesToFile(strokes, least) {
  const points = strokes.flat();
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const scale = FILE_INK / Math.max(right - left, bottom - top, least);
  const place = ([x, y]) => [
    FILE_SIDE / 2 + scale * (x - (left + right) / 2),
    FILE_SIDE / 2 + scale * (y - (top + bottom) / 2),
  ];
  const file = element('canvas', { width: FILE_SIDE, height: FILE_SIDE });
  const context = file.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, FILE_SIDE, FILE_SIDE);
  context.lineWidth = FILE_STROKE;
  trace(
    context,
    strokes.map((stroke) => stroke.map(place)),
  );
  return new Promise((resolve) => file.toBlob(resolve, 'image/png'));
}
