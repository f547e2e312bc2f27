/** PSNR on BSD68, dB, as published (Chen et al. 2020; Jin et al. 2019 for DURR), by noise level σ. */
export const published: readonly {
  readonly name: string;
  readonly psnr: Readonly<Record<number, number>>;
}[] = [
  { name: 'BM3D, published', psnr: { 35: 26.81, 45: 25.97, 55: 25.21, 65: 24.6, 75: 24.08 } },
  { name: 'WNNM, published', psnr: { 35: 27.36, 45: 26.31, 55: 25.5, 65: 24.92, 75: 24.26 } },
  { name: 'DnCNN, published', psnr: { 35: 27.6, 45: 26.56, 55: 25.71, 65: 22.19, 75: 17.9 } },
  { name: 'UNLNet5, published', psnr: { 35: 27.5, 45: 26.48, 55: 25.64 } },
  {
    name: 'DnCNN-stop, published',
    psnr: { 35: 27.61, 45: 26.59, 55: 25.79, 65: 23.56, 75: 18.62 },
  },
  { name: 'DURR, published', psnr: { 35: 27.72, 45: 26.71, 55: 25.91, 65: 25.26, 75: 24.71 } },
];
