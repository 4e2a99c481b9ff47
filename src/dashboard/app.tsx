/** Either the shell with the page of the route in it, or the key form. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { locked } from "./live/key.ts";
import { pageOf, type PageEntry, type PageProps } from "./pages/registry.ts";
import { route } from "./router.ts";
import { KeyForm } from "./shell/key-form.tsx";
import { Shell } from "./shell/shell.tsx";
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
const loaded = signal<ReadonlyMap<PageEntry, ComponentType<PageProps> | Error>>(new Map());

function Page() {
  const { page, id, query } = route.value;
  const entry = pageOf(page, id);
  useEffect(() => {
    document.title = entry ? `${entry.title} · evenkeel` : "evenkeel";
    if (entry && !loaded.value.has(entry)) void load(entry);
  }, [entry]);

  if (!entry) {
    return (
      <Empty title="There is no such page">
        <a href="#/">Go to the overview</a>
      </Empty>
    );
  }
  const Component = loaded.value.get(entry);
  if (Component === undefined) return <Loading />;
  if (Component instanceof Error) return <ErrorNote error={Component} onRetry={() => location.reload()} />;
  return <Component key={entry.title === "Run" ? id : entry.title} id={id} query={query} />;
}

async function load(entry: PageEntry): Promise<void> {
  // A page's code is gone when the server was updated while this page was open: a reload fetches the new one.
  const component = await entry.load().catch((cause: unknown) => {
    return new Error(`This page could not be loaded: ${String(cause)}`, { cause });
  });
  loaded.value = new Map(loaded.value).set(entry, component);
}
