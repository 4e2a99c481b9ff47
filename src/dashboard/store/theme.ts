/**
 * Light, dark, or as the system has it. `public/theme.js` sets the stored choice before the first paint; here
 * it is changed. styles/tokens.css does the rest from `data-theme`.
 */
import { signal, type ReadonlySignal } from "@preact/signals";

const ITEM = "evenkeel.theme";
const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const chosen = signal<Theme>(THEMES.find((theme) => theme === document.documentElement.dataset["theme"]) ?? "system");
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

export const theme: ReadonlySignal<Theme> = chosen;

/** Counts changes of the visible theme, so that canvases are drawn again. */
export const repaint = signal(0);

systemIsDark.addEventListener("change", () => (repaint.value += 1));

export function nextTheme(): void {
  const next = THEMES[(THEMES.indexOf(chosen.value) + 1) % THEMES.length] ?? "system";
  chosen.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  repaint.value += 1;
  try {
    localStorage.setItem(ITEM, next);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}
