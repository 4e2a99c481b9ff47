/** The version in package.json: the banner, `/info` and the changelog speak of the same one. */
import manifest from "../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
