/** A button, in one of four weights. `busy` keeps its width and says that it works. */
import type { ComponentChildren } from "preact";

interface Props {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly kind?: "plain" | "primary" | "danger" | "quiet";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  readonly busy?: boolean;
  /** For buttons that show only a sign. */
  readonly label?: string;
  readonly title?: string;
}

export function Button({ children, onClick, kind = "plain", type = "button", disabled, busy, label, title }: Props) {
  return (
    <button
      class={`button button-${kind}`}
      type={type}
      disabled={disabled === true || busy === true}
      aria-busy={busy === true}
      {...(onClick && { onClick: () => onClick() })}
      {...(label !== undefined && { "aria-label": label })}
      {...(title !== undefined && { title })}
    >
      {children}
    </button>
  );
}
