/** The models of the runs page: the list, the selection in it, and the requested cancels. */
import type { Services } from "../../live/services.ts";
import { Cancels } from "./cancels.ts";
import type { RunFilter } from "./run-filter.ts";
import { RunList } from "./run-list.ts";
import { RunSelection } from "./run-selection.ts";

export class RunsModel {
  readonly list: RunList;
  readonly selection: RunSelection;
  readonly cancels: Cancels;

  constructor(services: Services, filter: RunFilter) {
    this.list = new RunList(services, filter);
    this.selection = new RunSelection(services, filter);
    this.cancels = new Cancels(services, (runIds) => this.list.refresh(runIds));
  }

  start(): void {
    this.list.start();
    this.selection.start();
  }

  stop(): void {
    this.list.stop();
    this.selection.stop();
    this.cancels.stop();
  }
}
