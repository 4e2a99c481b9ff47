/**
 * Which component is which page. Each is loaded when it is first opened, so that the first paint of the
 * overview does not wait for the code of the chat. A page gets `{ id, query }` of the route. The page of a run
 * is mounted anew for another run; the others get a changed `id` as a changed prop.
 */
import type { ComponentType } from "preact";

export interface PageProps {
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

export interface PageEntry {
  readonly title: string;
  readonly load: () => Promise<ComponentType<PageProps>>;
}

/** "runs" with an id is the page of one run. */
export function pageOf(page: string, id: string | undefined): PageEntry | undefined {
  return PAGES[page === "runs" && id !== undefined ? "run" : page];
}

const PAGES: Readonly<Record<string, PageEntry>> = {
  overview: { title: "Overview", load: async () => (await import("./overview.tsx")).OverviewPage },
  activities: { title: "Activities", load: async () => (await import("./activities.tsx")).ActivitiesPage },
  runs: { title: "Runs", load: async () => (await import("./runs.tsx")).RunsPage },
  run: { title: "Run", load: async () => (await import("./run.tsx")).RunPage },
  chat: { title: "Chat", load: async () => (await import("./chat.tsx")).ChatPage },
  processes: { title: "Processes", load: async () => (await import("./processes.tsx")).ProcessesPage },
};
