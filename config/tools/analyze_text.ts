/** Figures of a text, and its sentences that say nearly the same: work for the processor, in a thread of its own. */
import { defineTool, z } from "evenkeel";

const MAX_CHARACTERS = 200_000;
const MAX_SENTENCES = 2_000;
const TOP_WORDS = 15;
const ALIKE = 0.6;
const MAX_PAIRS = 10;

export const tool = defineTool({
  description:
    "Counts the words and sentences of a text, names its most frequent words, and finds sentences that are alike.",
  input: z.object({ text: z.string().min(1).max(MAX_CHARACTERS) }),
  effects: "pure",
  run: ({ text }, { progress }) => {
    const sentences = text.split(/(?<=[.!?])\s+/).filter((sentence) => sentence.trim() !== "");
    const words = wordsOf(text);
    return {
      characters: text.length,
      words: words.length,
      different_words: new Set(words).size,
      sentences: sentences.length,
      words_a_sentence: Math.round((10 * words.length) / Math.max(1, sentences.length)) / 10,
      frequent: frequent(words),
      alike: alike(sentences.slice(0, MAX_SENTENCES), progress),
    };
  },
});

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}'’-]+/gu) ?? [];
}

function frequent(words: readonly string[]): { word: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const word of words) if (word.length > 3) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return sorted.slice(0, TOP_WORDS).map(([word, count]) => ({ word, count }));
}

/** Every sentence with every other: the time grows with the square of their number. */
function alike(sentences: readonly string[], progress: (fraction: number) => void): object[] {
  const sets = sentences.map((sentence) => new Set(wordsOf(sentence)));
  const pairs: { similarity: number; sentences: [string, string] }[] = [];
  for (const [index, set] of sets.entries()) {
    progress(index / sets.length);
    for (let other = index + 1; other < sets.length; other += 1) {
      const similarity = shared(set, sets[other] ?? new Set());
      if (similarity >= ALIKE) pairs.push({ similarity, sentences: [sentences[index] ?? "", sentences[other] ?? ""] });
    }
  }
  return pairs.toSorted((a, b) => b.similarity - a.similarity).slice(0, MAX_PAIRS);
}

/** Jaccard's index: of all words of both, the part that both have. */
function shared(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const both = a.intersection(b).size;
  return both === 0 ? 0 : Math.round((100 * both) / (a.size + b.size - both)) / 100;
}
