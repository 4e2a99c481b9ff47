/**
 * Every page, once: router, navigation, title and links follow from its entry. A new page is a folder beside this
 * file and an entry here. A page's code is loaded when it is first opened, so that the first paint of the overview
 * does not wait for the code of the chat.
 */
import type { ComponentType } from "preact";

export interface PageProps {
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

type Loaded = Promise<ComponentType<PageProps>>;

export interface PageEntry {
  readonly title: string;
  readonly inNavigation?: boolean;
  readonly load: () => Loaded;
}

/** By address: "runs" is "#/runs", "runs/:id" is "#/runs/run_1". A page without an entry for ids gets `id` as a changed prop. */
const PAGES = {
  overview: {
    title: "Overview",
    inNavigation: true,
    load: async (): Loaded => (await import("./overview/overview-page.tsx")).OverviewPage,
  },
  activities: {
    title: "Activities",
    inNavigation: true,
    load: async (): Loaded => (await import("./activities/activities-page.tsx")).ActivitiesPage,
  },
  runs: {
    title: "Runs",
    inNavigation: true,
    load: async (): Loaded => (await import("./runs/runs-page.tsx")).RunsPage,
  },
  "runs/:id": { title: "Run", load: async (): Loaded => (await import("./run/run-page.tsx")).RunPage },
  chat: {
    title: "Chat",
    inNavigation: true,
    load: async (): Loaded => (await import("./chat/chat-page.tsx")).ChatPage,
  },
  processes: {
    title: "Processes",
    inNavigation: true,
    load: async (): Loaded => (await import("./processes/processes-page.tsx")).ProcessesPage,
  },
  mcp: { title: "MCP", inNavigation: true, load: async (): Loaded => (await import("./mcp/mcp-page.tsx")).McpPage },
} satisfies Record<string, PageEntry>;

/** What a link can name; see `href` in router.ts. */
export type PageName = Exclude<keyof typeof PAGES, `${string}/:id`>;

export const NAVIGATION: readonly { readonly page: PageName; readonly title: string }[] = Object.entries<PageEntry>(
  PAGES,
).flatMap(([page, { title, inNavigation }]) => (inNavigation ? [{ page: page as PageName, title }] : []));

/** A page of one thing is mounted anew for another id: `key` says when. */
export interface FoundPage {
  readonly entry: PageEntry;
  readonly key: string;
}

export function findPage(page: string, id: string | undefined): FoundPage | undefined {
  const perId = `${page}/:id`;
  if (id !== undefined && isPage(perId)) return { entry: PAGES[perId], key: `${page}/${id}` };
  return isPage(page) ? { entry: PAGES[page], key: page } : undefined;
}

/** The name comes from the URL: "constructor" is no page. */
function isPage(name: string): name is keyof typeof PAGES {
  return Object.hasOwn(PAGES, name);
}
