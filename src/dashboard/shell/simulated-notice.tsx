/** Says that answers are made up. A reader can close the notice; one line at the side still says it. */
import { signal } from "@preact/signals";
import { info } from "../store/info.ts";
import { Button } from "../ui/button.tsx";

const ITEM = "evenkeel.simulated-notice";

const isClosed = signal(wasClosed());

export function SimulatedNotice() {
  if (info.value?.model.simulated !== true || isClosed.value) return null;
  return (
    <div class="notice" role="note">
      <p>
        <strong>Simulated model.</strong> Answers are made up.{" "}
        <span class="notice-more">
          They cost nothing. Set <code>ANTHROPIC_API_KEY</code> to talk to a real one.
        </span>
      </p>
      <Button kind="quiet" onClick={close} label="Close the notice of the simulated model">
        Close
      </Button>
    </div>
  );
}

export function SimulatedLine() {
  if (info.value?.model.simulated !== true || !isClosed.value) return null;
  return <p class="side-note">Simulated model</p>;
}

function wasClosed(): boolean {
  try {
    return localStorage.getItem(ITEM) === "closed";
  } catch {
    return false;
  }
}

function close(): void {
  isClosed.value = true;
  try {
    localStorage.setItem(ITEM, "closed");
  } catch {
    // Storage is blocked: it stays closed as long as the page is open.
  }
}
