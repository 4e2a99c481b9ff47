/**
 * Paths that are answered before Koa sees a request, by the fast lane or at an upgrade. A request that gets here used
 * such a path in the wrong way, and is told the right one.
 */
import { ROUTES } from "../../api/routes.ts";
import { OPEN_SOCKET } from "../../api/socket.ts";
import { AppError } from "../../core/errors.ts";
import type { AppRouter } from "../context.ts";

export function earlyPaths(router: AppRouter): void {
  // A GET never gets here; these routes only make `Allow` right.
  for (const { path, lane } of ROUTES) if (lane === "fast") router.get(path, (_ctx, next) => next());

  router.all(OPEN_SOCKET.path, () => {
    throw new AppError(
      "UPGRADE_REQUIRED",
      "Open /ws as a WebSocket, `new WebSocket(url)` or a GET with `Upgrade: websocket`. docs/websocket.md says more.",
    );
  });
}
