/**
 * How deep JSON may be nested that a model sends. Reading deeper JSON works, but writing it ends in a RangeError, and
 * databases have limits as well (SQLite's functions: 1,000 levels). Pure.
 */

export const MAX_JSON_LEVELS = 500;

/** @returns whether arrays and objects are nested more than `levels` deep */
export function isDeeper(value: unknown, levels = MAX_JSON_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
