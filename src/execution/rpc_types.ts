/** What an execution client's JSON-RPC answers look like, checked and brought into our own terms. */
import { z } from "zod";

/** Longest quantity accepted: a uint256. */
const quantityPattern = /^0x[0-9a-fA-F]{1,64}$/;

export const quantitySchema = z.string().regex(quantityPattern).transform(BigInt);

/** A quantity that must be exact as a number, as heights, times and gas are. */
const safeInteger = quantitySchema
  .refine((value) => value <= BigInt(Number.MAX_SAFE_INTEGER), "is above 2**53")
  .transform(Number);

export const dataSchema = z
  .string()
  .regex(/^0x(?:[0-9a-fA-F]{2})*$/)
  // 4.5 MB, as a block's logs can hold, in 5 ms; viem's decoder takes 190.
  .transform((hex): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), "hex")));

function fixedData(sizeBytes: number) {
  return dataSchema.refine((bytes) => bytes.length === sizeBytes, `is not ${sizeBytes} bytes`);
}

export const hashSchema = fixedData(32);
const addressSchema = fixedData(20);

/** A transaction stands in a block by its hash, or whole. */
const transactionHash = z.union([
  hashSchema,
  z.object({ hash: hashSchema }).transform((transaction) => transaction.hash),
]);

export const blockSchema = z
  .object({
    hash: hashSchema,
    parentHash: hashSchema,
    miner: addressSchema,
    stateRoot: hashSchema,
    receiptsRoot: hashSchema,
    logsBloom: fixedData(256),
    number: safeInteger,
    gasLimit: safeInteger,
    gasUsed: safeInteger,
    timestamp: safeInteger,
    extraData: dataSchema.refine((bytes) => bytes.length <= 32, "is longer than 32 bytes"),
    baseFeePerGas: quantitySchema,
    blobGasUsed: quantitySchema,
    excessBlobGas: quantitySchema,
    transactions: z.array(transactionHash),
  })
  .transform(({ hash, number, miner, transactions, ...block }) => ({
    ...block,
    blockHash: hash,
    blockNumber: number,
    feeRecipient: miner,
    transactionHashes: transactions,
  }));

/** A block's header under the payload's field names, with the hashes of its transactions. */
export type ExecutionBlock = z.infer<typeof blockSchema>;

export const logSchema = z.object({
  address: addressSchema,
  topics: z.array(hashSchema).max(4),
  data: dataSchema,
  blockHash: hashSchema,
  blockNumber: safeInteger,
  transactionHash: hashSchema,
  removed: z.boolean().optional(),
});

/** A log of a mined block. */
export type ExecutionLog = z.infer<typeof logSchema>;

export const receiptSchema = z.object({
  status: quantitySchema,
  transactionHash: hashSchema,
  blockHash: hashSchema,
  blockNumber: safeInteger,
  gasUsed: safeInteger,
  contractAddress: addressSchema.nullish().transform((address) => address ?? null),
  logs: z.array(logSchema),
});
