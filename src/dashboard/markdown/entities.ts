/**
 * Character references (`&amp;`, `&#115;`) as text. The page never parses HTML, so this file resolves them. It knows
 * the named references that people write in Markdown; any other stays unchanged.
 */
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00A0",
  copy: "©",
  reg: "®",
  trade: "™",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  times: "×",
  deg: "°",
  plusmn: "±",
  middot: "·",
  bull: "•",
  rarr: "→",
  larr: "←",
  euro: "€",
  pound: "£",
  sect: "§",
  para: "¶",
  // A hostile link hides behind these entities: resolve them, so that `safeHref` checks the URL that a browser would see.
  colon: ":",
  sol: "/",
  Tab: "\t",
  NewLine: "\n",
  lpar: "(",
  rpar: ")",
};

export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&(#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]{2,8});/g, (whole, name: string) => {
    if (/^#[xX]/.test(name)) return character(Number.parseInt(name.slice(2), 16));
    if (name.startsWith("#")) return character(Number.parseInt(name.slice(1), 10));
    return Object.hasOwn(NAMED, name) ? (NAMED[name] ?? whole) : whole;
  });
}

/** Returns U+FFFD for a number that is no character, as CommonMark requires. */
function character(code: number): string {
  const isCharacter = code > 0 && code <= 0x10_ff_ff && !(code >= 0xd8_00 && code <= 0xdf_ff);
  return isCharacter ? String.fromCodePoint(code) : "\uFFFD";
}
