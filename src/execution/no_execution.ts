/** The execution engine of a node that has none: it can verify nothing and build nothing. */
import { CodedError } from "../base/errors.ts";
import type { ExecutionEngine } from "../state/execution_engine.ts";

function unavailable(): CodedError {
  return new CodedError("EL_UNAVAILABLE", "This node has no execution client: start it with --el-url");
}

export const noExecution: ExecutionEngine = {
  buildPayload: async () => Promise.reject(unavailable()),
  notifyNewPayload: async () => ({ status: "SYNCING", reason: "no execution client" }),
  notifyForkchoiceUpdated: async () => {},
  getMessageRoot: async () => Promise.reject(unavailable()),
  getMessageCount: async () => Promise.reject(unavailable()),
  getMessages: async () => Promise.reject(unavailable()),
};
