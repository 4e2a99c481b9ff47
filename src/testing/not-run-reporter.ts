/** Says loudly, after the results, which tests were not run for lack of a program. vitest.config.ts and .ci/run name it. */
import type { Reporter, TestModule } from "vitest/node";
import "./program.ts";

// oxlint-disable-next-line import/no-default-export -- vitest loads reporters by their path
export default class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests("skipped")].flatMap((test) => {
        const { lacks } = test.meta();
        return lacks ? [`  for lack of ${lacks.join(" and ")}: ${module.relativeModuleId} > ${test.fullName}`] : [];
      }),
    );
    if (lines.length === 0) return;
    console.log(`\n!!! ${lines.length} tests WERE NOT RUN. .ci/programs brings what they lack.\n${lines.join("\n")}\n`);
  }
}
