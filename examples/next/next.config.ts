/**
 * The way without handlers: the browser sends its own key or token to `/agents/…`, and Next passes the request on as it is.
 * evenkeel has to know the page's origin (`allowedOrigins` in config/access.ts). Leave it out if you take the handlers.
 */
const EVENKEEL = process.env["EVENKEEL"] ?? "http://localhost:8000";

export default {
  rewrites: () => Promise.resolve([{ source: "/agents/:path*", destination: `${EVENKEEL}/:path*` }]),
};
