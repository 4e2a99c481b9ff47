/** System, light, dark, and round again. */
import { nextTheme, theme } from "../store/theme.ts";
import { Button } from "../ui/button.tsx";

const WORDS = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" } as const;

export function ThemeToggle() {
  return (
    <Button kind="quiet" onClick={nextTheme} title="Change the theme">
      {WORDS[theme.value]}
    </Button>
  );
}
