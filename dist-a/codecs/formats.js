/** The image formats that are read and written. */
export const formats = ['png', 'jpeg', 'webp', 'avif', 'tiff'];
export const isFormat = (format) => formats.includes(format);
//# sourceMappingURL=formats.js.map