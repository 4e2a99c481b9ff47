/**
 * The OpenAPI document as one page of HTML, without a script: routes, their fields and answers, and the named shapes.
 * Called by `routes/openapi.ts`. docs/decisions/023 says why we use no existing renderer.
 */
import { createHash } from "node:crypto";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly default?: unknown;
}

interface Body {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema; readonly itemSchema?: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly "x-access": string;
  readonly parameters: readonly (Pick<Schema, "description"> & {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: Schema;
  })[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body & { readonly description: string }>>;
}

export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const STYLE = `:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
code,.path{font-family:ui-monospace,monospace;font-size:.92em}
summary{cursor:pointer;padding:.35rem 0}
section{border-top:1px solid color-mix(in srgb,currentColor 25%,transparent)}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{text-align:start;vertical-align:top;padding:.25rem .75rem .25rem 0}
th{font-weight:600}
td:first-child{white-space:nowrap}
.method{display:inline-block;min-width:4.5rem;font-weight:700}
.quiet{opacity:.75}
@media(max-width:40rem){td:first-child{white-space:normal}}`;

/** The hash of the page's own style sheet: the browser applies no other style, and runs no script at all. */
export const DOCS_STYLE = `'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`;

export function docsPage({ info, paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationOf(method.toUpperCase(), path, operation)),
  );
  const shapes = Object.entries(components.schemas).map(([name, schema]) => shapeOf(name, schema));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(info.title)} API</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(info.title)} ${escape(info.version)}</h1>
<p>${prose(info.description)} <a href="openapi.json">openapi.json</a> says the same to programs. <a href="#shapes">Shapes</a></p>
<main>
${operations.join("\n")}
<h2 id="shapes">Shapes</h2>
${shapes.join("\n")}
</main>
</body>
</html>
`;
}

function operationOf(method: string, path: string, operation: Operation): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const heading =
    `<span class="method">${method}</span> <span class="path">${escape(path)}</span> ` +
    `<span class="quiet">${prose(summary)}</span>`;
  const about = description === undefined ? "" : `<p>${prose(description)}</p>`;
  const fields = parameters.map(({ name, in: place, required, description: text, schema }) =>
    fieldRow(name, { ...schema, description: text ?? "" }, { required, place }),
  );
  const body = requestBody ? `<p>Body: ${contentOf(requestBody)}</p>` : "";
  const answers = Object.entries(responses).map(
    ([status, answer]) =>
      `<tr><td><code>${escape(status)}</code></td><td>${prose(answer.description)} ${contentOf(answer)}</td></tr>`,
  );
  return `<section id="${escape(operationId)}"><details><summary>${heading}</summary>
${about}<p class="quiet">For: ${escape(operation["x-access"])}</p>
${table(fields)}${body}${table(answers)}</details></section>`;
}

function shapeOf(name: string, schema: Schema): string {
  return `<section id="${escape(name)}"><h3>${escape(name)}</h3>${fieldsOf(schema)}</section>`;
}

/** An object's fields as a table; for other shapes, the values that they may have. */
function fieldsOf(schema: Schema): string {
  const about = schema.description === undefined ? "" : `<p>${prose(schema.description)}</p>`;
  if (!schema.properties) {
    const choices = schema.oneOf ?? schema.anyOf;
    if (!choices?.some(({ properties }) => properties)) return `${about}<p>${typeOf(schema)}</p>`;
    return `${about}<p>One of:</p>${choices.map(fieldsOf).join("")}`;
  }
  const required = new Set(schema.required);
  const rows = Object.entries(schema.properties).map(([name, field]) =>
    fieldRow(name, field, { required: required.has(name) }),
  );
  return about + table(rows);
}

function fieldRow(
  name: string,
  schema: Schema,
  about: { readonly required: boolean; readonly place?: string },
): string {
  const marks = [about.place, about.required ? undefined : "optional"].filter((mark) => mark !== undefined);
  const fallback =
    schema.default === undefined ? "" : ` Default <code>${escape(JSON.stringify(schema.default))}</code>.`;
  return (
    `<tr><td><code>${escape(name)}</code><br><span class="quiet">${marks.join(", ")}</span></td>` +
    `<td>${typeOf(schema)}<br>${prose(schema.description ?? "")}${fallback}</td></tr>`
  );
}

function table(rows: readonly string[]): string {
  return rows.length === 0 ? "" : `<table>${rows.join("")}</table>`;
}

function contentOf({ content = {} }: Body): string {
  return Object.entries(content)
    .map(([media, { schema, itemSchema }]) => {
      const shape = schema ? ` ${typeOf(schema)}` : itemSchema ? ` of ${typeOf(itemSchema)}` : "";
      return `<code>${escape(media)}</code>${shape}`;
    })
    .join(", ");
}

/** The type in words, with a link where the shape has a name. */
function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/components/schemas/", "");
    return `<a href="#${escape(name)}">${escape(name)}</a>`;
  }
  if (schema.const !== undefined) return `<code>${escape(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeOf).join(" | ");
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  if (schema.properties) return `{ ${Object.keys(schema.properties).map(escape).join(", ")} }`;
  if (typeof schema.additionalProperties === "object") return `object of ${typeOf(schema.additionalProperties)}`;
  return escape([schema.type ?? "anything"].flat().join(" | "));
}

/** Text with `code` in backticks and its line breaks. */
function prose(text: string): string {
  return escape(text)
    .replaceAll(/`([^`]+)`/g, "<code>$1</code>")
    .replaceAll("\n", "<br>");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
