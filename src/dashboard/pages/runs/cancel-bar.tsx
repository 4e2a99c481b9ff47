/**
 * The selected runs, and the button that cancels them. It stands below the table, because above it would move the box
 * that was just ticked.
 */
import { useState } from "preact/hooks";
import { Ask } from "../../ui/ask.tsx";
import { Button } from "../../ui/button.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { MAX_CHOSEN } from "./run-selection.ts";
import type { RunsModel } from "./runs-model.ts";

export function CancelBar({ model }: { model: RunsModel }) {
  const { selection, cancels } = model;
  const [isAsking, setAsking] = useState(false);
  const progress = cancels.progress.value;
  const cancel = () => {
    setAsking(false);
    void cancels.now([...selection.chosen.value]);
    selection.clear();
  };
  const what = countOf(selection.chosen.value.size);
  return (
    <>
      <div class="runs-dock">
        {cancels.error.value && <ErrorNote error={cancels.error.value} />}
        {progress && (
          <p class="runs-bar" role="status">
            Canceling: {progress.done} of {progress.of} were asked to end.
          </p>
        )}
        {selection.chosen.value.size > 0 && <Chosen model={model} onCancel={() => setAsking(true)} />}
      </div>
      {isAsking && (
        <Ask title={`Cancel ${what}?`} verb={`Cancel ${what}`} onYes={cancel} onNo={() => setAsking(false)}>
          <p>What they have said so far stays. Tools that run are told to stop.</p>
        </Ask>
      )}
    </>
  );
}

function Chosen({ model: { list, selection }, onCancel }: { model: RunsModel; onCancel: () => void }) {
  const chosen = selection.chosen.value;
  const matching = selection.matching.value;
  const shown = list.rows.value?.filter(({ run_id: id }) => chosen.has(id)).length ?? 0;
  const what = countOf(chosen.size);
  return (
    <div class="runs-bar" role="status">
      <span>
        {what} selected{shown < chosen.size && `, ${chosen.size - shown} of them not shown here`}
      </span>
      {matching && matching.length > chosen.size && (
        <Button onClick={() => selection.chooseMatching()}>
          Select {matching.length >= MAX_CHOSEN ? `the newest ${MAX_CHOSEN}` : `all ${matching.length}`} that match
        </Button>
      )}
      <span class="runs-bar-end">
        <Button kind="quiet" onClick={() => selection.clear()}>
          Clear
        </Button>
        <Button kind="danger" onClick={onCancel}>
          Cancel {what}
        </Button>
      </span>
    </div>
  );
}

function countOf(runs: number): string {
  return runs === 1 ? "1 run" : `${runs} runs`;
}
