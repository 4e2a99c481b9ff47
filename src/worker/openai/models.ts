/** `GET /v1/models`: the agents, as OpenAI's clients list models. */
import { LIST_MODELS, SHOW_MODEL } from "../../api/openai.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { answer, serve } from "../serve.ts";
import { agentOf } from "./run.ts";

export function modelRoutes(router: AppRouter, { agents }: RouteDeps): void {
  // The configuration does not change while this process lives.
  const created = Math.floor(Date.now() / 1000);
  const show = (id: string) => ({ id, object: "model", created, owned_by: "evenkeel" }) as const;
  const list = { object: "list", data: [...agents.keys()].map(show) } as const;
  serve(router, LIST_MODELS, () => answer(200, list));
  serve(router, SHOW_MODEL, ({ params }) => answer(200, show(agentOf(params.model, agents).agentId)));
}
