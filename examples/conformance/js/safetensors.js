// Reads a safetensors file: 8 bytes with the header's length N, N bytes of JSON, the data.

import { product } from "./array.js";

// A tensor need not lie at a multiple of its item's size, so items are read one by one.
const ITEMS = {
  F64: { bytes: 8, Type: Float64Array, read: (view, at) => view.getFloat64(at, true) },
  F32: { bytes: 4, Type: Float32Array, read: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, Type: Float32Array, read: (view, at) => half(view.getUint16(at, true)) },
  BF16: { bytes: 2, Type: Float32Array, read: (view, at) => bfloat(view.getUint16(at, true)) },
  I64: { bytes: 8, Type: Int32Array, read: (view, at) => integer(view.getBigInt64(at, true)) },
};

/** {name: {shape, data, dtype}} of the bytes (Uint8Array). An Error names the damaged tensor. */
export function readTensors(bytes) {
  const { header, start } = readHeader(bytes);
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors[name] = readTensor(bytes.subarray(start), name, entry);
  }
  return tensors;
}

function readHeader(bytes) {
  if (bytes.length < 8) throw new Error("header: the file is shorter than 8 bytes");
  const length = Number(viewOf(bytes).getBigUint64(0, true));
  if (length > bytes.length - 8) throw new Error("header: the file ends within it");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
    return { header: JSON.parse(text), start: 8 + length };
  } catch {
    throw new Error("header: not JSON in UTF-8");
  }
}

function readTensor(data, name, { dtype, shape, data_offsets }) {
  const item = ITEMS[dtype];
  if (!item) throw new Error(`${name}: unknown dtype ${dtype}`);
  if (!areCounts(shape)) throw new Error(`${name}: its shape is no list of integers`);
  if (!areCounts(data_offsets)) throw new Error(`${name}: data_offsets is no list of integers`);
  const [begin, end] = data_offsets;
  const count = product(shape);
  if (end - begin !== count * item.bytes)
    throw new Error(`${name}: its bytes do not fit its shape`);
  if (end > data.length) throw new Error(`${name}: lies beyond the end of the file`);
  const view = viewOf(data);
  const values = new item.Type(count);
  for (let i = 0; i < count; i++) values[i] = item.read(view, begin + i * item.bytes);
  return { shape, data: values, dtype };
}

function areCounts(list) {
  return Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** IEEE half precision: 1 bit sign, 5 bits exponent, 10 bits fraction. */
function half(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** bfloat16 is the upper half of a float32. */
function bfloat(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

function integer(big) {
  if (BigInt.asIntN(32, big) !== big) throw new Error(`the integer ${big} needs more than 32 bits`);
  return Number(big);
}
