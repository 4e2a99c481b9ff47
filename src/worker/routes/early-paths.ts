/**
 * Paths that are answered before Koa sees a request, by the fast lane or at an upgrade. What comes to them here
 * came in the wrong way, and is told the right one.
 */
import { AppError } from "../../core/errors.ts";
import type { AppRouter } from "../app.ts";

export function elsewhereRoutes(router: AppRouter): void {
  // Never asked by GET: they stand here for `Allow`.
  router.get(["/health", "/api/activities"], (_ctx, next) => next());

  router.all("/ws", () => {
    throw new AppError(
      "UPGRADE_REQUIRED",
      "Open /ws as a WebSocket, `new WebSocket(url)` or a GET with `Upgrade: websocket`. docs/websocket.md says more.",
    );
  });
}
