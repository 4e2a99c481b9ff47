/** A button that changes from system to light, to dark, and back to system. */
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
