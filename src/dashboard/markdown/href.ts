/** Which links of a model's answer may be followed: absolute http, https and mailto ones, and nothing else. */
const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/** @returns the address as the browser reads it, or undefined: show the link as plain text */
export function safeHref(address: string): string | undefined {
  // Without a base, a relative address does not parse. That is wanted: a model must not link to our own pages.
  const url = URL.parse(address);
  if (!url || !ALLOWED.has(url.protocol)) return undefined;
  // An address such as "https://bank.example@evil.example" is meant to deceive the reader.
  if (url.username !== "" || url.password !== "") return undefined;
  return url.href;
}
