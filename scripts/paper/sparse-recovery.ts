/** Sparse recovery: the paper's first experiment and further measurements. */
import type { Reproduction } from './report.ts';
import { ablations } from './sparse-recovery/ablations.ts';
import { depth } from './sparse-recovery/depth.ts';
import { gain } from './sparse-recovery/gain.ts';
import { naturalImages } from './sparse-recovery/natural-images.ts';
import { robustness } from './sparse-recovery/robustness.ts';
import { table } from './sparse-recovery/table.ts';
import { time } from './sparse-recovery/time.ts';
import { traffic } from './sparse-recovery/traffic.ts';
import { training } from './training.ts';

export const sparseRecovery: Reproduction = {
  title: 'Sparse recovery',
  parts: [
    traffic,
    gain,
    table,
    depth,
    time,
    robustness,
    ablations,
    naturalImages,
    training('sparse-recovery'),
  ],
};
