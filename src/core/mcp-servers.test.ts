import { expect, test } from "vitest";
import { defineMcpServers, type McpServerConfig } from "./mcp-servers.ts";

test("a program gets its defaults", () => {
  const servers = defineMcpServers({ files: { command: "npx", args: ["-y", "server"] } });

  expect(servers.get("files")).toEqual({
    name: "files",
    kind: "stdio",
    command: "npx",
    args: ["-y", "server"],
    env: {},
    cwd: undefined,
    startTimeoutMs: 20_000,
    callTimeoutMs: 60_000,
    maxCallMs: 600_000,
  });
});

test("a URL makes a server that is reached over HTTP", () => {
  const servers = defineMcpServers({ search: { url: "https://mcp.test/", headers: { Authorization: "Bearer x" } } });

  expect(servers.get("search")).toMatchObject({ kind: "http", headers: { Authorization: "Bearer x" } });
});

test.each<[McpServerConfig, string]>([
  [{}, "either `command` or `url`"],
  [{ command: "a", url: "http://b/" }, "either `command` or `url`"],
  [{ url: "file:///etc/passwd" }, '`url` to be an http(s) URL, got "file:///etc/passwd"'],
  [{ url: "http://b/", args: ["x"] }, "no `args` without `command`"],
  [{ command: "a", headers: { x: "y" } }, "no `headers` without `url`"],
  [
    { command: "a", callTimeoutMs: 5_000, maxCallMs: 1_000 },
    "`maxCallMs` to be `callTimeoutMs` (5000) or more, got 1000",
  ],
  [
    { url: "http://b/", callTimeoutMs: 300_001 },
    "`callTimeoutMs` to be 300000 or less over HTTP, where a longer silence ends the request, got 300001; a call that reports progress",
  ],
  [{ url: "http://b/", startTimeoutMs: 400_000 }, "`startTimeoutMs` to be 300000 or less over HTTP"],
  [{ comand: "a" } as McpServerConfig, "no `comand`; it knows command, args"],
])("%o is refused", (config, problem) => {
  expect(() => defineMcpServers({ it: config })).toThrow(`MCP server \`it\`: expected ${problem}`);
});

test("a call may be silent for 300 s over HTTP, and as long as it likes in a program", () => {
  const servers = defineMcpServers({
    far: { url: "http://b/", callTimeoutMs: 300_000 },
    near: { command: "a", callTimeoutMs: 3_000_000, maxCallMs: 3_000_000 },
  });

  expect([...servers.values()].map(({ callTimeoutMs }) => callTimeoutMs)).toEqual([300_000, 3_000_000]);
});

test("a secret that is missing is named, and those that are there are not printed", () => {
  const env = { TOKEN: undefined, OTHER: "swordfish" } as unknown as Record<string, string>;
  const define = () => defineMcpServers({ it: { command: "a", env } });

  expect(define).toThrow("`env.TOKEN` to be a text, got nothing");
  expect(define).not.toThrow("swordfish");
});

test.each(["", "Files", "a__b", "ends_", "a".repeat(33), "a b"])("%o is no name of a server", (name) => {
  expect(() => defineMcpServers({ [name]: { command: "a" } })).toThrow("a name of 1 to 32 lower-case letters");
});
