/** The process whose figures the charts show; one choice for all of them, kept while the page is open. */
import { signal } from "@preact/signals";

/** As `nameOf` names it: by kind and id, so that it outlives the process. Null: the worst of each kind. */
export const chosenProcess = signal<string | null>(null);
