/** The sources of a text: pages of the web as links, documents by name. */
import "./sources.css";
import type { ShownCitation } from "../../core/citation.ts";

export function Sources({ citations }: { citations: readonly ShownCitation[] }) {
  if (citations.length === 0) return null;
  return (
    <ul class="sources" aria-label="Sources">
      {citations.map(({ title, url }) => (
        <li key={`${title} ${url}`} dir="auto">
          {url === undefined ? (
            title
          ) : (
            <a href={url} target="_blank" rel="noopener noreferrer nofollow">
              {title}
            </a>
          )}
        </li>
      ))}
    </ul>
  );
}
