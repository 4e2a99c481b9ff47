/**
 * Lets files of `config/` import "evenkeel", wherever they are: the name means the evenkeel that runs, so that none is
 * loaded twice, and CONFIG_DIR may be a folder without `node_modules`. Called by each entry that loads such files.
 */
import { registerHooks } from "node:module";
import { IS_SOURCE } from "./tree.ts";

const OUR_NAME = /^evenkeel(\/|$)/;
/** The condition in `exports` of package.json that names the sources. */
const SOURCE_CONDITION = "evenkeel-source";

export function answerToOwnName(): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (!OUR_NAME.test(specifier)) return next(specifier, context);
      const conditions = IS_SOURCE ? [...context.conditions, SOURCE_CONDITION] : [...context.conditions];
      return next(specifier, { ...context, conditions, parentURL: import.meta.url });
    },
  });
}
