/**
 * What stands in a result for an object that `JSON.stringify` would show as `{}`: a list for a Set or a generator, an
 * object for a Map or Headers. Called by `text.ts`.
 */

/** True for an object that JSON shows as it is. Asked for each object of a result, so it must be quick. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

const BYTES = [Uint8Array, Uint8ClampedArray, DataView, ArrayBuffer, SharedArrayBuffer] as const;

/** Bytes are shown as text. Other typed arrays are lists of numbers. */
export function isBytes(value: unknown): value is InstanceType<(typeof BYTES)[number]> {
  return BYTES.some((kind) => value instanceof kind);
}

/**
 * @param value an object that is not plain
 * @param most how many items of a list are enough
 * @returns an array, or an object whose own fields are shown
 * @throws TypeError for an object that must be read or awaited before it is a result
 */
export function shownAs(value: object, most: number): object {
  // JSON shows its own fields. Those of a typed array are its items.
  if (!ArrayBuffer.isView(value) && Object.keys(value).length > 0) return value;
  for (const { is, name, remedy } of UNREAD)
    if (is(value)) throw new TypeError(`The tool returned ${name}, which is no result yet: ${remedy}.`);
  if (value instanceof RegExp) return { regular_expression: String(value) };
  if (!isIterable(value)) return value;
  const items = Iterator.from(value).take(most).toArray();
  return isNamed(value, items) ? Object.fromEntries(items) : items;
}

/** What an author forgot to read or to await. */
const UNREAD: readonly { readonly is: (value: object) => boolean; readonly name: string; readonly remedy: string }[] = [
  { is: (value) => value instanceof Promise, name: "a promise", remedy: "await it" },
  { is: (value) => value instanceof Response, name: "a Response", remedy: "return await response.text()" },
  { is: (value) => value instanceof Blob, name: "a Blob", remedy: "return await blob.text()" },
  {
    is: (value) => Symbol.asyncIterator in value,
    name: "a stream or an async generator",
    remedy: "collect what it yields, and return that",
  },
];

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}

const WITH_ENTRIES = [Map, Headers, URLSearchParams, FormData] as const;

/** True for the entries of such a value, when each has a name of its own. */
function isNamed(value: object, items: readonly unknown[]): items is [string, unknown][] {
  if (!WITH_ENTRIES.some((kind) => value instanceof kind) || !items.every(isPair)) return false;
  return new Set(items.map(([name]) => name)).size === items.length;
}

function isPair(item: unknown): item is [string, unknown] {
  return Array.isArray(item) && item.length === 2 && typeof item[0] === "string";
}
