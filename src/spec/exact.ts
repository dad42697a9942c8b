/**
 * Guards against uint64s that the library would read wrongly: most of them become JS numbers, and above 2**53 - 1 those
 * lose bits in silence. Whatever comes from outside (blocks, state files, API input) is decoded through this file.
 */
import { type ByteViews, ContainerType, isBasicType, type Type, UintNumberType } from "@chainsafe/ssz";
import { CodedError } from "../base/errors.ts";

/** Where a value above 2**53 - 1 stands. */
export type InexactUint = { path: string; value: bigint };

/** The upper half of the first uint64 that a number cannot hold: 2**53 / 2**32. */
const FIRST_INEXACT_HIGH = 2 ** 21;

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

/** The first uint64 in `bytes`, valid SSZ of `type`, that reading as a number would change. */
export function findInexactUint(type: Type<unknown>, bytes: Uint8Array): InexactUint | null {
  const dataView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return findIn(type, { uint8Array: bytes, dataView }, 0, bytes.length, "");
}

function findIn(type: Type<unknown>, data: ByteViews, start: number, end: number, path: string): InexactUint | null {
  if (type instanceof UintNumberType) return isInexact(type, data, start) ? inexact(data, start, path) : null;
  if (!holdsNumbers(type)) return null;
  if (type instanceof ContainerType) {
    const ranges = type.getFieldRanges(data.dataView, start, end);
    for (const [i, range] of ranges.entries()) {
      const { fieldName, fieldType } = type.fieldsEntries[i] as { fieldName: string; fieldType: Type<unknown> };
      const fieldPath = path === "" ? fieldName : `${path}.${fieldName}`;
      const found = findIn(fieldType, data, start + range.start, start + range.end, fieldPath);
      if (found !== null) return found;
    }
    return null;
  }
  return findInElements(elementTypeOf(type), data, start, end, path);
}

function findInElements(
  type: Type<unknown>,
  data: ByteViews,
  start: number,
  end: number,
  path: string,
): InexactUint | null {
  if (start === end) return null;
  const { fixedSize } = type;
  const length = fixedSize === null ? data.dataView.getUint32(start, true) / 4 : (end - start) / fixedSize;
  for (let i = 0; i < length; i++) {
    const isLast = i === length - 1;
    const elementStart = start + (fixedSize === null ? data.dataView.getUint32(start + 4 * i, true) : i * fixedSize);
    const elementEnd =
      fixedSize !== null
        ? elementStart + fixedSize
        : isLast
          ? end
          : start + data.dataView.getUint32(start + 4 * (i + 1), true);
    // The path is written only once something is found: a registry has a million elements.
    const found = findIn(type, data, elementStart, elementEnd, "");
    if (found !== null) {
      return { path: `${path}[${i}]${found.path === "" ? "" : `.${found.path}`}`, value: found.value };
    }
  }
  return null;
}

function isInexact(type: UintNumberType, data: ByteViews, offset: number): boolean {
  if (type.byteLength !== 8) return false;
  const high = data.dataView.getUint32(offset + 4, true);
  if (high < FIRST_INEXACT_HIGH) return false;
  // FAR_FUTURE_EPOCH has a number of its own, Infinity, in the fields that may hold it.
  return type.value_deserializeFromBytes(data, offset, offset + 8) !== Number.POSITIVE_INFINITY;
}

function inexact(data: ByteViews, offset: number, path: string): InexactUint {
  return { path, value: data.dataView.getBigUint64(offset, true) };
}

/** Whether a type has any uint64 that is read as a number; most bytes of a block or state have none. */
function holdsNumbers(type: Type<unknown>): boolean {
  let holds = numberTypes.get(type);
  if (holds === undefined) {
    if (type instanceof UintNumberType) holds = type.byteLength === 8;
    else if (isBasicType(type)) holds = false;
    else if (type instanceof ContainerType) {
      holds = type.fieldsEntries.some(({ fieldType }) => holdsNumbers(fieldType as Type<unknown>));
    } else holds = "elementType" in type && holdsNumbers(elementTypeOf(type));
    numberTypes.set(type, holds);
  }
  return holds;
}

/** Bounded by the number of types in the program. */
const numberTypes = new WeakMap<Type<unknown>, boolean>();

/** Of lists and vectors, the only types with elements that hold numbers here. */
function elementTypeOf(type: Type<unknown>): Type<unknown> {
  return (type as Type<unknown> & { elementType: Type<unknown> }).elementType;
}
