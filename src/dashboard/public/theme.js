// Runs before the first paint, so that a chosen theme does not flash. A file of its own: the CSP allows no inline script.
try {
  const theme = localStorage.getItem("evenkeel.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: as the system has it.
}
