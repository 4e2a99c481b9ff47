/** "37 new", over the top of a list that is held: a click shows them. */
import "./held-pill.css";
import { Button } from "./button.tsx";

interface Props {
  readonly held: number;
  /** From this number on, more rows may wait than `held` says. */
  readonly most: number;
  /** "runs" */
  readonly what: string;
  readonly onShow: () => void;
}

export function HeldPill({ held, most, what, onShow }: Props) {
  const show = () => {
    onShow();
    scrollTo({ top: 0 });
  };
  return (
    <div class="held-pill">
      {/* The number changes too often for a screen reader. */}
      <span class="visually-hidden" role="status">
        {held > 0 && `New ${what} wait`}
      </span>
      {held > 0 && (
        <Button kind="primary" onClick={show}>
          {held >= most ? `${most} or more` : held} new
        </Button>
      )}
    </div>
  );
}
