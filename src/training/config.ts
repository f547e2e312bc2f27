/** A user's configuration file over the defaults: every key must be known, every value of the default's kind. */
import { defaultAdam, defaultMuon } from './adam.ts';

export function withDefaults<T extends object>(
  defaults: T,
  given: unknown,
  path = 'the configuration',
): T {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error(`${path} must be an object.`);
  const result = { ...defaults } as Record<string, unknown>;
  for (const [key, value] of Object.entries(given)) {
    const known: unknown = result[key];
    if (known === undefined && !(key in optional)) {
      throw new Error(
        `${path} has no ${key}; it may have ${[...Object.keys(defaults), ...Object.keys(optional)].join(', ')}.`,
      );
    }
    const like = known ?? optional[key];
    if (kind(value) !== kind(like) && !(key === 'beta' && isTemperature(value))) {
      throw new Error(`${key} in ${path} must be ${kind(like)}, not ${JSON.stringify(value)}.`);
    }
    result[key] = kind(like) === 'an object' && like ? withDefaults(like, value, key) : value;
  }
  return result as T;
}

/** What Stage I takes as its temperature, whatever the default is. */
const isTemperature = (value: unknown): boolean =>
  typeof value === 'number' || value === 'uniform' || value === 'last';

/** Keys that a default leaves out. */
const optional: Record<string, object | number> = {
  minutes: 1,
  prior: [],
  adam: defaultAdam,
  kernels: defaultMuon,
};

function kind(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
