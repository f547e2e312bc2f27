/** Checked look-ups, where an index or a key is known to be there. */

/** @throws RangeError where the list has no element at `index` */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no element ${index} in a list of ${list.length}`);
  return value;
}

/** @throws RangeError where the record has no such key */
export function entry<T>(record: Readonly<Record<string, T>>, key: string): T {
  const value = record[key];
  if (value === undefined)
    throw new RangeError(`no ${key} among ${Object.keys(record).join(', ')}`);
  return value;
}
