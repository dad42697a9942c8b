/** Writes WebAssembly: as much of it as `simd_cipher.ts` is made of. @spec WebAssembly/spec core/binary */

/** Instructions, nested as expressions are: operands before their operator. */
export type Code = number | readonly Code[];

export interface WasmFunction {
  readonly name: string;
  /** All `i32`; read as the first locals. */
  readonly params: number;
  readonly returnsI32: boolean;
  /** What comes behind the parameters, in order. */
  readonly locals: readonly { readonly count: number; readonly type: ValueType }[];
  readonly body: Code;
}

export type ValueType = typeof I32 | typeof I64 | typeof V128;
export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;

/** An unsigned number, LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** A signed number of 32 bits, LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x3f || rest < -0x40; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest & 0x7f);
  return bytes;
}

export const get = (local: number): Code => [0x20, unsigned(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
export const tee = (local: number, value: Code): Code => [value, 0x22, unsigned(local)];
export const call = (index: number, ...operands: Code[]): Code => [operands, 0x10, unsigned(index)];
/** Runs `body` until `condition` is 0. */
export const repeatWhile = (condition: Code, body: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];

const operator =
  (...code: number[]) =>
  (...operands: Code[]): Code => [operands, code];
/** Its address is `at` and `offset` together. */
const load =
  (...code: number[]) =>
  (at: Code, offset = 0): Code => [at, code, 0, unsigned(offset)];
const store =
  (...code: number[]) =>
  (at: Code, value: Code, offset = 0): Code => [at, value, code, 0, unsigned(offset)];
const simd = (code: number): number[] => [0xfd, ...unsigned(code)];

export const i32 = {
  const: (value: number): Code => [0x41, signed(value)],
  add: operator(0x6a),
  sub: operator(0x6b),
  and: operator(0x71),
  lessThan: operator(0x49),
};

export const i64 = {
  const: (value: number): Code => [0x42, signed(value)],
  fromI32: operator(0xad),
  add: operator(0x7c),
  mul: operator(0x7e),
  and: operator(0x83),
  or: operator(0x84),
  xor: operator(0x85),
  shiftLeft: operator(0x86),
  shiftRight: operator(0x88),
  lessThan: operator(0x54),
  load: load(0x29),
  load32: load(0x35),
  store: store(0x37),
};

export const v128 = {
  load: load(...simd(0)),
  /** Four times the same 32 bits. */
  load32Splat: load(...simd(9)),
  store: store(...simd(11)),
  /** Of four numbers of 32 bits. */
  const: (lanes: readonly number[]): Code => [simd(12), [...new Uint8Array(Uint32Array.from(lanes).buffer)]],
  /** Which 16 of the 32 bytes of both. */
  shuffle: (a: Code, b: Code, bytes: readonly number[]): Code => [a, b, simd(13), bytes],
  or: operator(...simd(0x50)),
  xor: operator(...simd(0x51)),
  anyTrue: operator(...simd(0x53)),
  shiftLeft32: operator(...simd(0xab)),
  shiftRight32: operator(...simd(0xad)),
  add32: operator(...simd(0xae)),
};

/** Writes `count` zeros. */
export const fillZero = (at: Code, count: number): Code => [at, i32.const(0), i32.const(count), 0xfc, 0x0b, 0];

function flat(code: Code): number[] {
  return typeof code === "number" ? [code] : code.flatMap(flat);
}

function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

function sized(code: Code): Code {
  const bytes = flat(code);
  return [unsigned(bytes.length), bytes];
}

function text(value: string): Code {
  return vector([...Buffer.from(value)]);
}

/** A module that exports its functions and, as `memory`, `pages` of 64 KiB. */
export function wasmModule(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const section = (id: number, items: readonly Code[]): Code => [id, sized(vector(items))];
  const typeOf = ({ params, returnsI32 }: WasmFunction): Code => [
    0x60,
    vector(Array(params).fill(I32)),
    vector(returnsI32 ? [I32] : []),
  ];
  const bodyOf = ({ locals, body }: WasmFunction): Code =>
    sized([vector(locals.map(({ count, type }) => [unsigned(count), type])), body, 0x0b]);
  return Uint8Array.from(
    flat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, functions.map(typeOf)),
      section(
        3,
        functions.map((_, i) => unsigned(i)),
      ),
      section(5, [[0, unsigned(pages)]]),
      section(7, [[text("memory"), 2, 0], ...functions.map(({ name }, i): Code => [text(name), 0, unsigned(i)])]),
      section(10, functions.map(bodyOf)),
    ]),
  );
}
