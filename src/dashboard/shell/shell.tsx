/** The frame of every page: navigation, connection, theme, notices. It also keeps the connection watched. */
import "./shell.css";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { session, signOut } from "../store/session.ts";
import { isSignedIn } from "../live/key.ts";
import { connection } from "../live/live.ts";
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
          <SignedIn />
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

/** The router uses the hash, so an ordinary link to #main would leave the page. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function SignedIn() {
  const [problem, setProblem] = useState("");
  if (!isSignedIn.value) return null;
  const who = session.value;
  return (
    <>
      {who && (
        <p class="side-who" title={`Signed in by ${who.via}`}>
          {who.principal} · {who.role}
        </p>
      )}
      <Button kind="quiet" onClick={() => void signOut().then(setProblem)} title="End this browser's session">
        Sign out
      </Button>
      {problem && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

/**
 * On a narrow screen the header covers the top of the page with two or three lines; elements that stick below it need
 * its height.
 */
function tellHeight(head: HTMLElement | null): (() => void) | undefined {
  if (!head) return undefined;
  const observer = new ResizeObserver(() => {
    document.documentElement.style.setProperty("--head-height", `${head.offsetHeight}px`);
  });
  observer.observe(head);
  return () => observer.disconnect();
}
