/**
 * Takes our own secrets out of what somebody else wrote. An endpoint may repeat the key that it was sent in an error, and
 * errors go to journals, logs and pages. Made once an agent process, used where the bytes of the model come in.
 */

/** A shorter one would be found in ordinary words. */
const MIN_CHARACTERS = 8;
const REPLACEMENT = "[secret]";

export type Redact = (text: string) => string;

/** @param secrets null and short ones are left out */
export function redactor(secrets: readonly (string | null | undefined)[]): Redact {
  const known = [...new Set(secrets.filter((secret) => typeof secret === "string" && secret.length >= MIN_CHARACTERS))];
  // The longest first: one secret may contain another.
  const sorted = (known as string[]).toSorted((a, b) => b.length - a.length);
  return (text) => sorted.reduce((rest, secret) => rest.replaceAll(secret, REPLACEMENT), text);
}
