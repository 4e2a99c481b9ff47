/** Shown while the first data is on its way. It appears late, so that fast pages do not flicker. */
import "./loading.css";

export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <p class="loading" role="status">
      {what}…
    </p>
  );
}
