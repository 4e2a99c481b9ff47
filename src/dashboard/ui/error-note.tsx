/** What failed, in the server's own words, with its code, and a way to try again. */
import type { Problem } from "../live/api-error.ts";
import { Button } from "./button.tsx";

interface Props {
  readonly error: Problem;
  readonly onRetry?: () => void;
}

export function ErrorNote({ error: { code, detail }, onRetry }: Props) {
  return (
    <div class="error-note" role="alert">
      <p>
        {detail}
        <code class="error-code">{code}</code>
      </p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}
