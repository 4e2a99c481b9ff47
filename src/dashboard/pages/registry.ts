/**
 * The code of every page. A new page is a folder beside this file, an entry in addresses.ts and one here. A page's code
 * is loaded when it is first opened, so that the first paint of the overview does not wait for the code of the chat.
 */
import type { ComponentType } from "preact";
import { PAGES, type PageAddress, type PageProps } from "./addresses.ts";

type Load = () => Promise<ComponentType<PageProps>>;

const CODE: Readonly<Record<PageAddress, Load>> = {
  overview: async () => (await import("./overview/overview-page.tsx")).OverviewPage,
  activities: async () => (await import("./activities/activities-page.tsx")).ActivitiesPage,
  runs: async () => (await import("./runs/runs-page.tsx")).RunsPage,
  "runs/:id": async () => (await import("./run/run-page.tsx")).RunPage,
  chat: async () => (await import("./chat/chat-page.tsx")).ChatPage,
  processes: async () => (await import("./processes/processes-page.tsx")).ProcessesPage,
  mcp: async () => (await import("./mcp/mcp-page.tsx")).McpPage,
};

export interface FoundPage {
  readonly address: PageAddress;
  readonly title: string;
  /** The key of a mounted page: a page of one run, for example, is mounted again for another id. */
  readonly key: string;
  readonly load: Load;
}

export function findPage(page: string, id: string | undefined): FoundPage | undefined {
  const perId = `${page}/:id`;
  if (id !== undefined && isPage(perId)) return found(perId, `${page}/${id}`);
  return isPage(page) ? found(page, page) : undefined;
}

function found(address: PageAddress, key: string): FoundPage {
  return { address, key, title: PAGES[address].title, load: CODE[address] };
}

/** The name comes from the URL: "constructor" is no page. */
function isPage(name: string): name is PageAddress {
  return Object.hasOwn(PAGES, name);
}
