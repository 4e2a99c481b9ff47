/** What failed, in the server's own words, with its code, and a way to try again. */
import { Button } from "./button.tsx";

interface Props {
  readonly error: unknown;
  readonly onRetry?: () => void;
}

export function ErrorNote({ error, onRetry }: Props) {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return (
    <div class="error-note" role="alert">
      <p>
        {typeof message === "string" && message !== "" ? message : String(error)}
        {typeof code === "string" && <code class="error-code">{code}</code>}
      </p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}
