/** The title of the browser's tab. A page can set a better title here than its entry in pages/registry.ts has. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const said = signal<string | null>(null);

export const pageTitle: ReadonlySignal<string | null> = said;

/** Sets the title while the component is shown. @param title null for the title of the registry */
export function useTitle(title: string | null): void {
  useEffect(() => {
    said.value = title;
    return () => (said.value = null);
  }, [title]);
}
