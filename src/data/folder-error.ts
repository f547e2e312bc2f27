/**
 * The error for a folder that cannot be listed.
 * @param error what `readdir` threw
 * @param advice what to give instead, a sentence
 */
export function folderError(folder: string, error: unknown, advice: string): Error {
  const isFile = error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
  const what = isFile ? `${folder} is a file, not a folder.` : `There is no folder ${folder}.`;
  return new Error(`${what} ${advice}`, { cause: error });
}
