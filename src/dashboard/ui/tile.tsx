/** One figure of the overview. Its place stays the same size whatever is in it. */
import "./tile.css";

/** Length of a text that fits in the largest letters. */
const WIDE_CHARACTERS = 8;

interface Props {
  readonly label: string;
  /** Null: not known yet. */
  readonly value: string | null;
  readonly detail: string;
  readonly tone?: "ok" | "warn" | "bad" | "idle";
  readonly href?: string;
}

export function Tile({ label, value, detail, tone, href }: Props) {
  const [number, unit] = split(value ?? "–");
  return (
    <div class={`card tile${tone ? ` tone-${tone}` : ""}`}>
      <p class="tile-label">{href ? <a href={href}>{label}</a> : label}</p>
      <p class={number.length > WIDE_CHARACTERS ? "tile-value tile-long" : "tile-value"}>
        {number}
        {unit && <span class="tile-unit">{unit}</span>}
      </p>
      <p class="tile-detail" title={detail}>
        {detail}
      </p>
    </div>
  );
}

/** "12 ms" → the number large, its unit small. A word has none. */
function split(text: string): [string, string] {
  const at = text.lastIndexOf(" ");
  return /^[\d.,]+ \D+$/.test(text) ? [text.slice(0, at), text.slice(at + 1)] : [text, ""];
}
