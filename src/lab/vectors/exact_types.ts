/** Types that hold every uint64 as a bigint: what vectors of random values need, where numbers would lose bits. */
import type { Node } from "@chainsafe/persistent-merkle-tree";
import {
  type CompositeType,
  ContainerType,
  ListBasicType,
  ListCompositeType,
  type Type,
  UintBigintType,
  UintNumberType,
  VectorBasicType,
  VectorCompositeType,
} from "@chainsafe/ssz";

export type ExactType = CompositeType<unknown, unknown, { node: Node; serialize(): Uint8Array }>;

/** The same type, field for field and limit for limit, with bigints in place of 8-byte numbers. */
export function toExactType(type: Type<unknown>): ExactType {
  return exact(type) as ExactType;
}

function exact(type: Type<unknown>): Type<unknown> {
  if (type instanceof UintNumberType) return type.byteLength === 8 ? new UintBigintType(8) : type;
  if (type instanceof ContainerType) {
    const fields: Record<string, Type<unknown>> = {};
    for (const { fieldName, fieldType } of type.fieldsEntries) {
      fields[String(fieldName)] = exact(fieldType as Type<unknown>);
    }
    return new ContainerType(fields, { typeName: type.typeName, jsonCase: "eth2" });
  }
  if (type instanceof ListBasicType) return new ListBasicType(exact(type.elementType) as UintBigintType, type.limit);
  if (type instanceof VectorBasicType) {
    return new VectorBasicType(exact(type.elementType) as UintBigintType, type.length);
  }
  if (type instanceof ListCompositeType) return new ListCompositeType(exact(type.elementType) as ExactType, type.limit);
  if (type instanceof VectorCompositeType) {
    return new VectorCompositeType(exact(type.elementType) as ExactType, type.length);
  }
  return type;
}
