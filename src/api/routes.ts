/** All routes. Every served route is in this list, and every route in the list is served: a test checks both. */
import { POST_NOTICE, READ_ACTIVITIES } from "./activities.ts";
import { LIST_AGENTS } from "./agents.ts";
import { RUN_AGENT } from "./ag-ui.ts";
import { RESUME_UI_CHAT, SHOW_UI_CHAT, STOP_UI_CHAT } from "./ai-sdk.ts";
import { BEGIN_CHAT, POST_CHAT, SHOW_TASK, STREAM_CHAT } from "./chat.ts";
import { DELETE_FILE, LIST_FILES, POST_FILE, READ_FILE } from "./files.ts";
import { CANCEL_RESPONSE, COMPLETE_CHAT, CREATE_RESPONSE, LIST_MODELS, SHOW_MODEL, SHOW_RESPONSE } from "./openai.ts";
import { BEGIN_JOB } from "./jobs.ts";
import { LIST_MCP_SERVERS, RESTART_MCP_SERVER } from "./mcp.ts";
import { OPEN_DASHBOARD, READ_ASSET, READ_DOCS, READ_ICON, READ_OPENAPI, READ_THEME } from "./page.ts";
import type { Route } from "./route.ts";
import { CANCEL_RUN, LIST_RUNS, READ_EVENTS, RETRY_RUN, SHOW_RUN } from "./runs.ts";
import { SHOW_SESSION, SIGN_IN, SIGN_OUT } from "./session.ts";
import { OPEN_SOCKET } from "./socket.ts";
import { LIST_PROCESSES, READ_HEALTH, READ_INFO, READ_METRICS, READ_READY, SCALE_PROCESSES } from "./system.ts";
import { DELETE_THREAD, LIST_THREADS, SHOW_THREAD } from "./threads.ts";

import { READ_USAGE } from "./usage.ts";

export const ROUTES: readonly Route[] = [
  SHOW_SESSION,
  SIGN_IN,
  SIGN_OUT,
  POST_CHAT,
  STREAM_CHAT,
  BEGIN_CHAT,
  SHOW_TASK,
  RESUME_UI_CHAT,
  SHOW_UI_CHAT,
  STOP_UI_CHAT,
  BEGIN_JOB,
  LIST_RUNS,
  SHOW_RUN,
  READ_EVENTS,
  CANCEL_RUN,
  RETRY_RUN,
  LIST_THREADS,
  SHOW_THREAD,
  DELETE_THREAD,
  READ_ACTIVITIES,
  POST_NOTICE,
  LIST_AGENTS,
  READ_USAGE,
  LIST_MCP_SERVERS,
  RESTART_MCP_SERVER,
  LIST_PROCESSES,
  SCALE_PROCESSES,
  READ_HEALTH,
  READ_READY,
  READ_INFO,
  READ_METRICS,
  LIST_FILES,
  POST_FILE,
  READ_FILE,
  DELETE_FILE,
  RUN_AGENT,
  LIST_MODELS,
  SHOW_MODEL,
  COMPLETE_CHAT,
  CREATE_RESPONSE,
  SHOW_RESPONSE,
  CANCEL_RESPONSE,
  OPEN_SOCKET,
  OPEN_DASHBOARD,
  READ_ASSET,
  READ_ICON,
  READ_THEME,
  READ_OPENAPI,
  READ_DOCS,
];
