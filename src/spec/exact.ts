/**
 * Guards against uint64s that the library would read wrongly: most of them become JS numbers, and above 2**53 - 1 those
 * lose bits in silence. Whatever comes from outside (blocks, state files, API input) is decoded through this file.
 */
import {
  ContainerType,
  ListBasicType,
  ListCompositeType,
  type Type,
  UintNumberType,
  VectorBasicType,
  VectorCompositeType,
} from "@chainsafe/ssz";
import { CodedError } from "../base/errors.ts";

/** Where a value above 2**53 - 1 stands. */
export type InexactUint = { path: string; value: bigint };

/** The upper half of the first uint64 that a number cannot hold: 2**53 / 2**32. */
const FIRST_INEXACT_HIGH = 2 ** 21;
const FAR_FUTURE = 2n ** 64n - 1n;
const OFFSET_SIZE_BYTES = 4;

/**
 * Decodes, and refuses what would lose bits.
 * Throws a `CodedError`: `BAD_SSZ` for bytes that are not of the type, `UINT64_TOO_LARGE` with the field's path.
 */
export function deserializeExact<T>(type: Type<T>, bytes: Uint8Array): T {
  const value = decode(() => type.deserialize(bytes), type);
  assertExact(type, bytes);
  return value;
}

/** Throws a `CodedError` (`UINT64_TOO_LARGE`); `bytes` must have been deserialized before. */
export function assertExact(type: Type<unknown>, bytes: Uint8Array): void {
  const found = findInexactUint(type, bytes);
  if (found === null) return;
  throw new CodedError(
    "UINT64_TOO_LARGE",
    `${found.path} is ${found.value}: values above 2**53 - 1 are not supported in this field`,
    { path: found.path, value: found.value.toString() },
  );
}

/** Runs a decoder of untrusted bytes, and codes what it throws as `BAD_SSZ`. */
export function decode<T>(run: () => T, type: { typeName: string }): T {
  try {
    return run();
  } catch (error) {
    throw new CodedError(
      "BAD_SSZ",
      `Not the SSZ of a ${type.typeName}: ${error instanceof Error ? error.message : error}`,
      { type: type.typeName },
      error,
    );
  }
}

/** The first uint64 in `bytes`, valid SSZ of `type`, that reading as a number would change. 1M validators: 0.2 s. */
export function findInexactUint(type: Type<unknown>, bytes: Uint8Array): InexactUint | null {
  return findIn(type, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length, "");
}

function findIn(type: Type<unknown>, data: DataView, start: number, end: number, path: string): InexactUint | null {
  const { fixedSize } = type;
  if (fixedSize !== null) return findInFixed(type, fixedSize, data, start, end, path, () => "");
  if (type instanceof ContainerType) {
    for (const [i, range] of type.getFieldRanges(data, start, end).entries()) {
      const { fieldName, fieldType } = type.fieldsEntries[i] as FieldEntry;
      const found = findIn(fieldType, data, start + range.start, start + range.end, joinPath(path, fieldName));
      if (found !== null) return found;
    }
    return null;
  }
  const elementType = elementTypeOf(type);
  if (elementType === null || start === end) return null;
  if (elementType.fixedSize !== null) {
    return findInFixed(elementType, elementType.fixedSize, data, start, end, path, (i) => `[${i}]`);
  }
  const length = data.getUint32(start, true) / OFFSET_SIZE_BYTES;
  const offsetOf = (i: number) => start + data.getUint32(start + OFFSET_SIZE_BYTES * i, true);
  for (let i = 0; i < length; i++) {
    const found = findIn(elementType, data, offsetOf(i), i === length - 1 ? end : offsetOf(i + 1), `${path}[${i}]`);
    if (found !== null) return found;
  }
  return null;
}

/** Of values of one fixed size that stand one behind the other. */
function findInFixed(
  type: Type<unknown>,
  sizeBytes: number,
  data: DataView,
  start: number,
  end: number,
  path: string,
  suffixOf: (i: number) => string,
): InexactUint | null {
  const numbers = numbersOf(type);
  if (numbers.length === 0) return null;
  for (let offset = start; offset < end; offset += sizeBytes) {
    for (const number of numbers) {
      const high = data.getUint32(offset + number.offset + 4, true);
      if (high < FIRST_INEXACT_HIGH) continue;
      const value = data.getBigUint64(offset + number.offset, true);
      // FAR_FUTURE_EPOCH has a number of its own, Infinity, in the fields that may hold it.
      if (number.mayBeFarFuture && value === FAR_FUTURE) continue;
      return { path: joinPath(path + suffixOf((offset - start) / sizeBytes), number.path), value };
    }
  }
  return null;
}

type FieldEntry = { fieldName: string; fieldType: Type<unknown> };

/** A uint64 that is read as a number, at a fixed place in a type of fixed size. */
type NumberField = { path: string; offset: number; mayBeFarFuture: boolean };

/** Bounded by the number of types in the program. */
const numbersByType = new WeakMap<Type<unknown>, NumberField[]>();

function numbersOf(type: Type<unknown>): NumberField[] {
  let numbers = numbersByType.get(type);
  if (numbers === undefined) {
    numbers = listNumbers(type);
    numbersByType.set(type, numbers);
  }
  return numbers;
}

function listNumbers(type: Type<unknown>): NumberField[] {
  if (type instanceof UintNumberType) {
    const mayBeFarFuture = type.deserialize(new Uint8Array(type.byteLength).fill(0xff)) === Number.POSITIVE_INFINITY;
    return type.byteLength === 8 ? [{ path: "", offset: 0, mayBeFarFuture }] : [];
  }
  let parts: { path: string; type: Type<unknown> }[] = [];
  if (type instanceof ContainerType) {
    const fields = type.fieldsEntries as FieldEntry[];
    parts = fields.map(({ fieldName, fieldType }) => ({ path: fieldName, type: fieldType }));
  } else if (type instanceof VectorBasicType || type instanceof VectorCompositeType) {
    const { elementType, length } = type;
    // A vector without numbers is not spelled out: states have some of 65,536 roots.
    if (numbersOf(elementType).length > 0) {
      parts = Array.from({ length }, (_, i) => ({ path: `[${i}]`, type: elementType }));
    }
  }
  let start = 0;
  return parts.flatMap((part) => {
    const offset = start;
    start += part.type.fixedSize ?? 0;
    return numbersOf(part.type).map((number) => ({
      ...number,
      path: joinPath(part.path, number.path),
      offset: offset + number.offset,
    }));
  });
}

/** Of lists and vectors; null for bytes and bits, which hold no numbers. */
function elementTypeOf(type: Type<unknown>): Type<unknown> | null {
  if (type instanceof ListBasicType || type instanceof ListCompositeType) return type.elementType;
  return type instanceof VectorCompositeType ? type.elementType : null;
}

function joinPath(path: string, rest: string): string {
  return path === "" || rest === "" || rest.startsWith("[") ? path + rest : `${path}.${rest}`;
}
