/** The frame of every page: navigation, connection, theme, notices. It also keeps the connection watched. */
import "./shell.css";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { loadAgents } from "../store/agents.ts";
import { hasSecret, keepSecret } from "../live/key.ts";
import { connection, reconnect } from "../live/live.ts";
import { watchProcesses } from "../store/processes.ts";
import { Button } from "../ui/button.tsx";
import { ConnectionState } from "./connection.tsx";
import { DisconnectedBar } from "./disconnected.tsx";
import { Brand, Navigation } from "./navigation.tsx";
import { SimulatedLine, SimulatedNotice } from "./simulated-notice.tsx";
import { ThemeToggle } from "./theme-toggle.tsx";
import { useServerInfo } from "./use-server-info.ts";

export function Shell({ children }: { children: ComponentChildren }) {
  useEffect(() => watchProcesses(), []);
  useServerInfo();
  const { state } = connection.value;
  const head = useRef<HTMLElement>(null);
  useEffect(() => tellHeight(head.current), []);
  return (
    <div class={`shell shell-${state}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="side" ref={head}>
        <Brand />
        <Navigation />
        <div class="side-foot">
          <SimulatedLine />
          <ConnectionState />
          <ThemeToggle />
          {hasSecret.value && (
            <Button kind="quiet" onClick={forgetKey} title="Remove the API key from this browser">
              Forget the key
            </Button>
          )}
        </div>
      </header>
      <main class="main" id="main" tabIndex={-1}>
        <DisconnectedBar />
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

/** Answered with 401, loadAgents brings the key form; a server that needs no key any more goes on without. */
function forgetKey(): void {
  keepSecret(null);
  reconnect();
  void loadAgents();
}

/** The header lies over the page on a narrow screen, and has two lines or three: what sticks below it must know. */
function tellHeight(head: HTMLElement | null): (() => void) | undefined {
  if (!head) return undefined;
  const observer = new ResizeObserver(() => {
    document.documentElement.style.setProperty("--head-height", `${head.offsetHeight}px`);
  });
  observer.observe(head);
  return () => observer.disconnect();
}
