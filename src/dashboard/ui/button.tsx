/** A button, in one of four weights. `busy` keeps the button's width and shows that work is under way. */
import "./button.css";
import type { ComponentChildren } from "preact";

interface Props {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly kind?: "plain" | "primary" | "danger" | "quiet";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  readonly busy?: boolean;
  /** The label of a button that shows only an icon. */
  readonly label?: string;
  readonly title?: string;
  /** For a button that opens something: whether it is open. */
  readonly expanded?: boolean;
}

export function Button({ children, onClick, kind = "plain", type = "button", ...props }: Props) {
  const { disabled, busy, label, title, expanded } = props;
  const press = (event: Event) => {
    // Prevent the default; otherwise the button would submit its form once more.
    if (busy === true) event.preventDefault();
    else onClick?.();
  };
  return (
    <button
      class={kind === "plain" ? "button" : `button button-${kind}`}
      type={type}
      disabled={disabled === true}
      aria-busy={busy === true}
      // `aria-disabled`, not `disabled`: a disabled button loses the focus, and a keyboard user loses the place.
      {...(busy === true && { "aria-disabled": true })}
      onClick={press}
      {...(label !== undefined && { "aria-label": label })}
      {...(title !== undefined && { title })}
      {...(expanded !== undefined && { "aria-expanded": expanded })}
    >
      {children}
    </button>
  );
}
