/**
 * Markdown tokens as elements. Nothing here makes HTML of text: raw HTML shows as it was written, a link has an
 * `href` only if `safeHref` allows it, and an image is a link, because loading it would tell its server who reads.
 * Each block of text takes its direction from its first letter; code runs left to right. A container of such blocks has
 * no dir="auto": the browser would look through all blocks each time one is added. [12,000 items: 9 s]
 */
import { cloneElement, h, isValidElement, type ComponentChildren } from "preact";
import type { MarkedToken, Token, Tokens } from "marked";
import { showHidden } from "../ui/show-hidden.ts";
import { CodeBlock } from "./code-block.tsx";
import { decodeEntities } from "./entities.ts";
import { safeHref } from "./href.ts";

/** One top-level token. */
export function renderBlock(token: Token): ComponentChildren {
  return render(token as MarkedToken);
}

function renderAll(tokens: readonly Token[] | undefined): ComponentChildren[] {
  return (tokens ?? []).map((token) => render(token as MarkedToken));
}

function render(token: MarkedToken): ComponentChildren {
  switch (token.type) {
    case "paragraph":
      return <p dir="auto">{renderAll(token.tokens)}</p>;
    case "heading":
      return heading(token);
    case "code":
      return <CodeBlock text={showHidden(token.text)} lang={languageOf(token.lang)} />;
    case "list":
      return list(token);
    case "blockquote":
      return <blockquote>{renderAll(token.tokens)}</blockquote>;
    case "table":
      return table(token);
    case "hr":
      return <hr />;
    case "space":
    case "def":
      return null;
    case "html":
      return token.block ? (
        <p class="md-raw" dir="auto">
          {token.raw.trimEnd()}
        </p>
      ) : (
        token.raw
      );
    default:
      return renderInline(token);
  }
}

function renderInline(token: MarkedToken): ComponentChildren {
  switch (token.type) {
    case "strong":
      return <strong>{renderAll(token.tokens)}</strong>;
    case "em":
      return <em>{renderAll(token.tokens)}</em>;
    case "del":
      return <del>{renderAll(token.tokens)}</del>;
    case "codespan":
      return <code dir="ltr">{showHidden(token.text)}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token, withoutHidden(renderAll(token.tokens)));
    case "image":
      return link(token, `[image: ${showHidden(decodeEntities(token.text)) || "no description"}]`);
    case "checkbox":
      return (
        <span class="md-box" role="img" aria-label={token.checked ? "done" : "not done"} data-done={token.checked} />
      );
    case "text":
      return token.tokens ? renderAll(token.tokens) : decodeEntities(token.text);
    case "escape":
      return token.text;
    default:
      // A token type that a later marked may bring.
      return token.raw;
  }
}

function link(token: Tokens.Link | Tokens.Image, children: ComponentChildren): ComponentChildren {
  const isLiteral = token.type === "link" && token.autolink;
  const href = safeHref(isLiteral ? token.href : decodeEntities(token.href));
  if (href === undefined) return <span class="md-nolink">{children}</span>;
  return (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

/** A reader takes from the text of a link where it leads. */
function withoutHidden(shown: ComponentChildren): ComponentChildren {
  if (typeof shown === "string") return showHidden(shown);
  if (Array.isArray(shown)) return shown.map(withoutHidden);
  return isValidElement(shown) ? cloneElement(shown, {}, withoutHidden(shown.props.children)) : shown;
}

/** Two levels below the page's own headings. */
function heading({ depth, tokens }: Tokens.Heading): ComponentChildren {
  return h(`h${Math.min(6, depth + 2)}`, { class: `md-h${depth}`, dir: "auto" }, renderAll(tokens));
}

function list({ ordered, start, items }: Tokens.List): ComponentChildren {
  const rows = items.map((item, index) => (
    <li key={index} dir="auto" class={item.task ? "md-task" : undefined}>
      {renderAll(item.tokens)}
    </li>
  ));
  if (!ordered) return <ul>{rows}</ul>;
  return <ol start={start === "" ? 1 : start}>{rows}</ol>;
}

function table({ header, rows, align }: Tokens.Table): ComponentChildren {
  const classOf = (column: number) => (align[column] ? `md-${align[column]}` : undefined);
  return (
    <div class="md-table" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {header.map((cell, column) => (
              <th key={column} class={classOf(column)} scope="col" dir="auto">
                {renderAll(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, column) => (
                <td key={column} class={classOf(column)} dir="auto">
                  {renderAll(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** "ts title=x" → "ts". */
function languageOf(info: string | undefined): string {
  return /^[\w+#.-]{1,24}/.exec(info ?? "")?.[0] ?? "";
}
