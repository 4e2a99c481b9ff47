/**
 * All pages by address: "runs" for "#/runs" and "runs/:id" for "#/runs/run_1". Titles, navigation and links follow from
 * here; registry.ts loads the code of each. A page without an address of its own for ids stays mounted and gets `id` as
 * a changed prop.
 */

export interface PageProps {
  readonly id: string | undefined;
  readonly query: URLSearchParams;
}

interface PageAbout {
  readonly title: string;
  readonly inNavigation: boolean;
}

export const PAGES = {
  overview: { title: "Overview", inNavigation: true },
  activities: { title: "Activities", inNavigation: true },
  runs: { title: "Runs", inNavigation: true },
  "runs/:id": { title: "Run", inNavigation: false },
  chat: { title: "Chat", inNavigation: true },
  processes: { title: "Processes", inNavigation: true },
  mcp: { title: "MCP", inNavigation: true },
} as const satisfies Record<string, PageAbout>;

export type PageAddress = keyof typeof PAGES;

/** What a link can name; see `href` in router.ts. */
export type PageName = Exclude<PageAddress, `${string}/:id`>;

export const NAVIGATION: readonly { readonly page: PageName; readonly title: string }[] = Object.entries<PageAbout>(
  PAGES,
).flatMap(([page, { title, inNavigation }]) => (inNavigation ? [{ page: page as PageName, title }] : []));
