/** Links to the pages that pages/addresses.ts names for the navigation, and to the API's reference. */
import { NAVIGATION } from "../pages/addresses.ts";
import { href, route } from "../router.ts";

export function Navigation() {
  const here = route.value.page;
  return (
    <nav class="nav" aria-label="Pages">
      {NAVIGATION.map(({ page, title }) => (
        <a key={page} class="nav-link" href={href(page)} {...(page === here && { "aria-current": "page" as const })}>
          {title}
        </a>
      ))}
      {/* A page of the server's own, below the same path. */}
      <a class="nav-link" href="docs" target="_blank" rel="noopener" title="Every route and field of this server">
        API
      </a>
    </nav>
  );
}

/** The logo: a hull on an even keel, and the water line. */
export function Brand() {
  return (
    <a class="brand" href={href("overview")} aria-label="evenkeel, overview">
      <svg class="brand-mark" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M2.5 9.5h19c-.6 5-4.2 8-9.5 8s-8.9-3-9.5-8Z" />
        <path class="brand-keel" d="M12 17.5v4M12 3v6.5" />
      </svg>
      <span>evenkeel</span>
    </a>
  );
}
