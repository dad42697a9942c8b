/** Starts anvil, says its process id, and waits to be killed; run by anvil.test.ts. */
import { systemClock } from "../../src/base/clock.ts";
import { startAnvil } from "../../src/lab/anvil.ts";

const { pid } = await startAnvil({}, systemClock);
process.stdout.write(String(pid));
