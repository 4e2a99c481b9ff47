/** Either the shell with the page of the route in it, or the key form. */
import { signal } from "@preact/signals";
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useErrorBoundary, useRef } from "preact/hooks";
import type { Problem } from "./live/api-error.ts";
import { locked } from "./live/key.ts";
import type { PageAddress, PageProps } from "./pages/addresses.ts";
import { findPage, type FoundPage } from "./pages/registry.ts";
import { route } from "./router.ts";
import { useTab } from "./shell/disconnected.tsx";
import { KeyForm } from "./shell/key-form.tsx";
import { useReloadOnce } from "./shell/reload-once.ts";
import { Shell } from "./shell/shell.tsx";
import { leftAt } from "./store/places.ts";
import { pageTitle } from "./store/title.ts";
import { Empty } from "./ui/empty.tsx";
import { ErrorNote } from "./ui/error-note.tsx";
import { Loading } from "./ui/loading.tsx";

export function App() {
  if (locked.value) return <KeyForm />;
  return (
    <Shell>
      <Page />
    </Shell>
  );
}

/** Pages that were opened before: they are shown again without a moment of "Loading". */
const loaded = signal<ReadonlyMap<PageAddress, ComponentType<PageProps> | Problem>>(new Map());

function Page() {
  const { page, id, query } = route.value;
  const found = findPage(page, id);
  useTab(found && (pageTitle.value ?? found.title));
  useEffect(() => {
    if (found && !loaded.value.has(found.address)) void load(found);
  }, [found?.address]);
  useArrival(found?.key ?? page);

  if (!found) {
    return (
      <Empty title="There is no such page">
        <a href="#/">Go to the overview</a>
      </Empty>
    );
  }
  const Component = loaded.value.get(found.address);
  if (Component === undefined) return <Loading />;
  if (typeof Component !== "function") return <NotLoaded problem={Component} />;
  return (
    <Boundary place={`${page}/${id}`}>
      <Component key={found.key} id={id} query={query} />
    </Boundary>
  );
}

function NotLoaded({ problem }: { problem: Problem }) {
  useReloadOnce();
  return <ErrorNote error={problem} onRetry={() => location.reload()} />;
}

/**
 * A newly opened page is scrolled to its top, or to where it was left, and gets the focus for keyboards and screen
 * readers.
 */
function useArrival(place: string): void {
  const before = useRef(place);
  useEffect(() => {
    if (before.current === place) return;
    before.current = place;
    scrollTo({ top: leftAt(), behavior: "instant" });
    const main = document.getElementById("main");
    // Keep the focus where the page itself has set it.
    if (!main?.contains(document.activeElement)) main?.focus({ preventScroll: true });
  }, [place]);
}

/** A page that fails leaves the rest of the application intact: other pages may work, and so may a second try. */
function Boundary({ place, children }: { place: string; children: ComponentChildren }) {
  const [error, reset] = useErrorBoundary();
  useEffect(() => reset(), [place]);
  if (error === undefined) return <>{children}</>;
  return <ErrorNote error={{ code: "PAGE_ERROR", detail: `This page failed: ${String(error)}` }} onRetry={reset} />;
}

async function load(page: FoundPage): Promise<void> {
  // A page's code is gone when the server was updated while this page was open: a reload fetches the new one.
  const component = await page.load().catch((cause: unknown): Problem => {
    return { code: "PAGE_ERROR", detail: `This page could not be loaded: ${String(cause)}` };
  });
  loaded.value = new Map(loaded.value).set(page.address, component);
}
