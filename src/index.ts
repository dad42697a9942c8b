/** The library: the fork's types and constants, and the values that its checks end in. `LODESTAR_PRESET` is read at import. */
export { CodedError, type ErrorFields } from "./base/errors.ts";
export * from "./spec/constants.ts";
export { getMessageLeaf } from "./spec/message_leaf.ts";
export * from "./spec/preset.ts";
export * from "./spec/types.ts";
export * from "./validation/verdict.ts";
