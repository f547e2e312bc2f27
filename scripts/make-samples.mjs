// Draws the sample picture, adds noise to it, and measures a sparse signal: the inputs of the README's curl lines.
// Run after `npm run build`: node scripts/make-samples.mjs
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { readNpy, writeNpy } from '../dist/codecs/npy.js';
import { Random } from '../dist/data/random.js';
import { SignalSampler } from '../dist/data/sparse-recovery.js';

const [width, height, sigma] = [640, 426, 40];

/** Hills, a lake and a house before a cloudy evening sky: smooth areas, edges, and texture from noise filters. */
const scene = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 640 426">
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#35507f"/><stop offset=".6" stop-color="#d98f6a"/><stop offset="1" stop-color="#f6d49a"/></linearGradient>
    <linearGradient id="lake" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#d9a273"/><stop offset="1" stop-color="#2d4060"/></linearGradient>
    <filter id="clouds" x="0" y="0" width="1" height="1"><feTurbulence type="fractalNoise" baseFrequency=".006 .022" numOctaves="5" seed="8"/><feColorMatrix values="0 0 0 0 1  0 0 0 0 .93  0 0 0 0 .85  1.6 0 0 0 -.62"/></filter>
    <filter id="grass" x="0" y="0" width="1" height="1"><feTurbulence type="fractalNoise" baseFrequency=".09 .3" numOctaves="4" seed="3" result="t"/><feColorMatrix in="t" values=".5 0 0 0 .03  .75 0 0 0 .08  .25 0 0 0 .02  0 0 0 0 1"/><feComposite in2="SourceGraphic" operator="in"/></filter>
    <filter id="rock" x="0" y="0" width="1" height="1"><feTurbulence type="fractalNoise" baseFrequency=".035 .05" numOctaves="5" seed="21" result="t"/><feColorMatrix in="t" values=".55 0 0 0 .06  .5 0 0 0 .07  .55 0 0 0 .13  0 0 0 0 1"/><feComposite in2="SourceGraphic" operator="in"/></filter>
    <filter id="waves" x="0" y="0" width="1" height="1"><feTurbulence type="fractalNoise" baseFrequency=".008 .16" numOctaves="3" seed="5" result="t"/><feColorMatrix in="t" values="0 0 0 0 1  0 0 0 0 .85  0 0 0 0 .7  1.1 0 0 0 -.45"/><feComposite in2="SourceGraphic" operator="in"/></filter>
  </defs>
  <rect width="640" height="270" fill="url(#sky)"/><rect width="640" height="270" filter="url(#clouds)"/>
  <circle cx="455" cy="186" r="26" fill="#fff1cf"/>
  <path d="M0 250 L70 150 L120 190 L205 92 L280 190 L335 150 L420 232 L520 170 L640 246 V280 H0Z" filter="url(#rock)"/>
  <path d="M205 92 L232 127 L214 122 L203 138 L191 120 L180 122Z" fill="#f3ece4"/>
  <rect y="262" width="640" height="90" fill="url(#lake)"/><rect y="262" width="640" height="90" filter="url(#waves)"/>
  <path d="M0 330 Q120 300 250 338 T640 322 V426 H0Z" filter="url(#grass)"/>
  <g stroke="#3c2a22" stroke-width="2"><rect x="96" y="276" width="112" height="74" fill="#b9573f"/><path d="M84 280 L152 228 L220 280Z" fill="#5a3a34"/>
  <rect x="112" y="294" width="24" height="22" fill="#ffe9a6"/><rect x="168" y="294" width="24" height="22" fill="#ffe9a6"/><rect x="142" y="314" width="20" height="36" fill="#4a2f27"/></g>
  <path d="M124 294V316M112 305H136M180 294V316M168 305H192" stroke="#3c2a22" stroke-width="1.5"/>
  <g stroke="#e9dcc6" stroke-width="4">${Array.from({ length: 21 }, (_, i) => `<path d="M${250 + 19 * i} ${372 - 4 * Math.sin(i / 3)} v-34"/>`).join('')}<path d="M244 350 Q440 340 640 352 M244 362 Q440 352 640 364" fill="none" stroke-width="3"/></g>
  <g fill="#24352a"><path d="M540 350 l26 -92 26 92z"/><path d="M580 358 l22 -76 22 76z"/><path d="M508 356 l16 -58 16 58z"/></g>
</svg>`;

await mkdir('docs/samples', { recursive: true });
const clean = await sharp(Buffer.from(scene)).removeAlpha().raw().toBuffer();
const random = new Random(7);
const noise = new Float32Array(clean.length);
random.fillNormal(noise, sigma);
const noisy = Buffer.from(
  clean.map((value, i) => Math.min(255, Math.max(0, Math.round(value + noise[i])))),
);
const raw = { width, height, channels: 3 };
await sharp(clean, { raw }).jpeg({ quality: 92 }).toFile('docs/samples/clean.jpg');
await sharp(noisy, { raw }).png().toFile('docs/samples/noisy.png');

const { shape, data } = readNpy(await readFile('models/sparse-recovery/matrix.npy'));
const matrix = { rows: shape[0], columns: shape[1], data: Float32Array.from(data) };
const { measurements, signals } = new SignalSampler(matrix, random, 1, {
  sparsity: 0.1,
  snr: [30],
}).next();
const short = Array.from(measurements, (value) => Number(value.toPrecision(6)));
await writeFile('docs/samples/measurements.json', `${JSON.stringify({ measurements: short })}\n`);
await writeFile(
  'docs/samples/measurements.npy',
  writeNpy({ shape: [matrix.rows], data: measurements }),
);
await writeFile('docs/samples/signal.npy', writeNpy({ shape: [matrix.columns], data: signals }));
