/** A request that shipped models answer, for the OpenAPI document: two classes, each a PNG file of 28 × 28 pixels. */
const SQUARE =
  'iVBORw0KGgoAAAANSUhEUgAAABwAAAAcAQMAAABIw03XAAAABlBMVEX///8AAABVwtN+AAAACXBIWXMAAAsTAAALEwEAmpwYAAAAGElEQVQI12NgIAwY//+AEQ0SpBJwvYQBAMyADdt/PZY/AAAAAElFTkSuQmCC';
const CROSS =
  'iVBORw0KGgoAAAANSUhEUgAAABwAAAAcAQMAAABIw03XAAAABlBMVEX///8AAABVwtN+AAAACXBIWXMAAAsTAAALEwEAmpwYAAAAF0lEQVQI12NgwAbYSCD4//+HEiRpwwIAPaIEh/N1xS0AAAAASUVORK5CYII=';

/** The body. */
export const example = {
  support: [
    { label: 'square', image: SQUARE },
    { label: 'cross', image: CROSS },
  ],
  query: [CROSS],
};
