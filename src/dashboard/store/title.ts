/** What the browser's tab says. A page that knows better than its entry in pages/registry.ts says so here. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const said = signal<string | null>(null);

export const pageTitle: ReadonlySignal<string | null> = said;

/** As long as the component is shown. @param title null for that of the registry */
export function useTitle(title: string | null): void {
  useEffect(() => {
    said.value = title;
    return () => (said.value = null);
  }, [title]);
}
