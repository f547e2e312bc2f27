/** The compiled module of a source file: threads run from `dist`, also where the caller runs from `src`. */
export function builtUrl(source: URL): URL {
  const url = new URL(source);
  url.pathname = url.pathname
    .replace(/\/src\/((?!.*\/src\/).*)$/, '/dist/$1')
    .replace(/\.ts$/, '.js');
  return url;
}
