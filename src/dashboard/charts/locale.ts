/**
 * Imported before uPlot, which makes a NumberFormat of `navigator.language` while it is loaded. A Chromium under
 * LANG=C says "en-US@posix" there, which is no language tag: without this the whole page would fail to load.
 */

try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}
