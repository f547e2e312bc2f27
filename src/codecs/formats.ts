/** The image formats that are read and written. */
export const formats = ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const;
export type ImageFormat = (typeof formats)[number];

export const isFormat = (format: string | undefined): format is ImageFormat =>
  formats.includes(format as ImageFormat);
