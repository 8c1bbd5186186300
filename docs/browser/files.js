// Reads the files that a user may choose: what a compiled model says of itself, and one window.

// What the user can do something about; anything else is reported as a file that cannot be read.
export class Refused extends Error {}

const product = (shape) => shape.reduce((a, b) => a * b, 1);

// The length-delimited fields of a protobuf message, as [number, bytes].
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, unit = 1; at < bytes.length; unit *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
    throw new Refused("not an ONNX file");
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const size = varint();
      if (at + size > bytes.length) throw new Refused("not an ONNX file, or cut short");
      yield [Math.floor(tag / 8), bytes.subarray(at, at + size)];
      at += size;
    } else throw new Refused("not an ONNX file");
  }
}

// The metadata of an ONNX file: field 14 of the model, pairs of key (1) and value (2). onnxruntime-web
// does not give them out, and the input contract is among them.
export function metadata(bytes) {
  const found = {};
  const text = new TextDecoder();
  for (const [number, value] of fields(bytes)) {
    if (number !== 14) continue;
    const pair = Object.fromEntries(fields(value));
    if (pair[1] && pair[2]) found[text.decode(pair[1])] = text.decode(pair[2]);
  }
  return found;
}

export function fromNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || new TextDecoder("latin1").decode(bytes.subarray(1, 6)) !== "NUMPY") {
    throw new Refused("not an .npy file");
  }
  const start = bytes[6] > 1 ? 12 : 10;
  const data = start + (bytes[6] > 1 ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, data));
  const type = /'descr': *'([^']*)'/.exec(header)?.[1];
  const size = { "<f4": 4, "<f8": 8 }[type];
  if (!size) throw new Refused(`numbers of type ${type ?? "unknown"}; float32 and float64 can be read`);
  if (/'fortran_order': *True/.test(header)) throw new Refused("in Fortran order; save it in C order");
  const shape = (/'shape': *\(([^)]*)\)/.exec(header)?.[1].match(/\d+/g) ?? []).map(Number);
  if (data + product(shape) * size > bytes.length) throw new Refused("cut short");
  const read = size === 4 ? (i) => view.getFloat32(data + 4 * i, true) : (i) => view.getFloat64(data + 8 * i, true);
  return { shape, data: Float32Array.from({ length: product(shape) }, (_, i) => read(i)) };
}

export function fromJson(bytes) {
  let found;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Refused("not JSON");
  }
  if (Array.isArray(found)) {
    const shape = [];
    for (let inner = found; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
    found = { shape, data: found.flat(Infinity) };
  }
  if (!Array.isArray(found?.shape) || !Array.isArray(found?.data)) throw new Refused("no window: shape and data");
  if (!found.data.every((x) => typeof x === "number")) throw new Refused("not every value is a number");
  return { ...found, data: Float32Array.from(found.data) };
}
