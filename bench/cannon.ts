/**
 * The same question as `responsive`, asked with autocannon, which everybody knows: its connections send the next
 * request as soon as they have an answer, so it shows what a saturated server does. `responsive` has the ratios: its
 * client sends at a fixed rate and so measures the whole queue behind a stall.
 */
import { Cannon, Streams } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { seedActivities } from "./lib/seed.ts";
import { Evenkeel } from "./lib/servers.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "autocannon";
const PATHS = ["/health", "/api/activities"] as const;
const CHATS = 200;
const CONNECTIONS = 10;
const CHAT = { agent_id: "bench", message: "/sim ttft=0 rate=10 tokens=100000", on_disconnect: "cancel" };

export async function cannon({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  note(`${CHATS} chats at 10 tokens/s each; then ${CONNECTIONS} connections a route, as fast as the server answers.`);
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await seedActivities(server.url);
  await using load = new Streams(processes);
  await load.open({ base: server.url, path: "/api/chat/stream", body: CHAT, streams: CHATS });
  await sleep(quick ? 500 : 5_000);
  const rows: Row[] = [];
  for (const path of PATHS) {
    await using client = new Cannon(processes);
    const job = { base: server.url, paths: [path], connections: CONNECTIONS };
    await client.run({ ...job, durationMs: 500 });
    const { p99Ms, failed, requests, seconds } = await client.run({ ...job, durationMs: quick ? 2_000 : 10_000 });
    const at = `${path} beside ${CHATS} chats`;
    rows.push(
      row({ question: QUESTION, figure: `${at}: p99`, unit: "ms", measured: p99Ms, max: 50 }),
      row({ question: QUESTION, figure: `${at}: errors and timeouts`, unit: "requests", measured: failed, max: 0 }),
      row({ question: QUESTION, figure: `${at}: answered`, unit: "/s", measured: requests / seconds }),
    );
  }
  return rows;
}
