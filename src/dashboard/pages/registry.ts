/**
 * Which component is which page. Each is loaded when it is first opened, so that the first paint of the
 * overview does not wait for the code of the chat. A page gets `{ id, query }` of the route.
 */
import type { ComponentType } from "preact";

export interface PageProps {
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

export interface PageEntry {
  readonly title: string;
  /** Mounted anew for another id; the others get it as a changed prop. */
  readonly isPerId?: boolean;
  readonly load: () => Promise<ComponentType<PageProps>>;
}

/** "runs" with an id is the page of one run. */
export function pageOf(page: string, id: string | undefined): PageEntry | undefined {
  const name = page === "runs" && id !== undefined ? "run" : page;
  // The name comes from the URL: "constructor" is no page.
  return Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
}

const PAGES: Readonly<Record<string, PageEntry>> = {
  overview: { title: "Overview", load: async () => (await import("./overview.tsx")).OverviewPage },
  activities: { title: "Activities", load: async () => (await import("./activities.tsx")).ActivitiesPage },
  runs: { title: "Runs", load: async () => (await import("./runs.tsx")).RunsPage },
  run: { title: "Run", isPerId: true, load: async () => (await import("./run.tsx")).RunPage },
  chat: { title: "Chat", load: async () => (await import("./chat.tsx")).ChatPage },
  processes: { title: "Processes", load: async () => (await import("./processes.tsx")).ProcessesPage },
};
