/** Loaded into a target of our own before its program: SIGUSR2 collects its garbage, so that heaps can be compared. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
process.on("SIGUSR2", () => collectGarbage());
