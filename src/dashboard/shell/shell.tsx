/** The frame of every page: navigation, connection, theme, notices. It also keeps the connection watched. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { loadAgents } from "../agents.ts";
import { info } from "../info.ts";
import { connection } from "../live/live.ts";
import { watchProcesses } from "../processes.ts";
import { ConnectionState } from "./connection.tsx";
import { Brand, Navigation } from "./navigation.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";

export function Shell({ children }: { children: ComponentChildren }) {
  useEffect(() => watchProcesses(), []);
  const { state } = connection.value;
  // A socket does not say why it was refused. If it is the key, this answers 401, and the key form comes.
  useEffect(() => {
    if (state === "lost") void loadAgents();
  }, [state]);
  return (
    <div class={`shell shell-${state}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="side">
        <Brand />
        <Navigation />
        <div class="side-foot">
          <ConnectionState />
          <ThemeToggle />
        </div>
      </header>
      <main class="main" id="main" tabIndex={-1}>
        <SimulatedNotice />
        {children}
      </main>
    </div>
  );
}

/** The hash belongs to the router: an ordinary link to #main would leave the page. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function SimulatedNotice() {
  if (info.value?.model.simulated !== true) return null;
  return (
    <p class="notice" role="note">
      <strong>Simulated model.</strong> Answers are made up, and cost nothing. Set <code>ANTHROPIC_API_KEY</code> to
      talk to a real one.
    </p>
  );
}
