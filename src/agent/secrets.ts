/**
 * Removes our own secrets from texts of others. An endpoint may repeat in an error the key that it was sent, and errors
 * go to journals, logs and pages. Made once per agent process, used where the bytes of the model come in.
 */

/** A shorter secret would also be found in ordinary words. */
const MIN_CHARACTERS = 8;
export const REPLACEMENT = "[secret]";

export type Redact = (text: string) => string;

/** @param secrets null and short ones are left out */
export function redactor(secrets: readonly (string | null | undefined)[]): Redact {
  const sorted = longSecrets(secrets, MIN_CHARACTERS);
  return (text) => sorted.reduce((rest, secret) => rest.replaceAll(secret, REPLACEMENT), text);
}

/**
 * Only secrets of at least this many characters, each once, the longest first because one secret may contain another.
 */
export function longSecrets(secrets: readonly (string | null | undefined)[], characters: number): string[] {
  const known = secrets.filter((secret): secret is string => typeof secret === "string" && secret.length >= characters);
  return [...new Set(known)].toSorted((a, b) => b.length - a.length);
}
