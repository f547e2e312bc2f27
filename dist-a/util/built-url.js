/** The compiled module of a source file: threads run from `dist`, also where the caller runs from `src`. */
export function builtUrl(source) {
    const url = new URL(source);
    url.pathname = url.pathname.replace(/\/src\/((?!.*\/src\/).*)$/, '/dist/$1').replace(/\.ts$/, '.js');
    return url;
}
//# sourceMappingURL=built-url.js.map