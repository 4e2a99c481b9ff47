/** An error in the server's own words, with its code and a button that tries again. */
import "./error-note.css";
import type { Problem } from "../live/api-error.ts";
import { Button } from "./button.tsx";

interface Props {
  readonly error: Problem;
  readonly onRetry?: () => void;
  readonly onEdit?: () => void;
}

export function ErrorNote({ error: { code, detail }, onRetry, onEdit }: Props) {
  return (
    <div class="error-note" role="alert">
      <p>
        {detail}
        <code class="error-code">{code}</code>
      </p>
      {(onEdit ?? onRetry) && (
        <span class="error-actions">
          {onEdit && <Button onClick={onEdit}>Edit</Button>}
          {onRetry && <Button onClick={onRetry}>Try again</Button>}
        </span>
      )}
    </div>
  );
}
