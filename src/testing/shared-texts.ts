/** The shared texts of an engine, in memory, for tests of agreements between processes. */
import type { Engine } from "../engine/engine.ts";

export function sharedTexts(): Pick<Engine, "shared" | "share"> {
  const texts = new Map<string, { text: string; version: number }>();
  return {
    shared: async (name) => texts.get(name) ?? { text: null, version: 0 },
    share: async (name, text, version) => {
      if ((texts.get(name)?.version ?? 0) !== version) return false;
      texts.set(name, { text, version: version + 1 });
      return true;
    },
  };
}
