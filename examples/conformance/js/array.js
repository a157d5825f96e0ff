// Arrays: {shape, data}, row-major, data a typed array. JavaScript computes in float64; a value is
// rounded to the array's type when it is stored.

export const product = (size) => size.reduce((total, length) => total * length, 1);

export const sameShape = (a, b) => a.length === b.length && a.every((length, i) => length === b[i]);

/** An array of zeros with the element type of another array. */
export function zeros(shape, like) {
  return { shape, data: new like.data.constructor(product(shape)) };
}

/** The coordinates of all cells of a grid, row-major: the last axis moves fastest. */
export function places(size) {
  return size.reduce(
    (heads, length) => heads.flatMap((head) => Array.from({ length }, (_, i) => [...head, i])),
    [[]],
  );
}

/** The last axis at a place of the other axes, as a view that can be written to. */
export function row(array, ...place) {
  const length = array.shape.at(-1);
  const first = place.reduce((offset, i, axis) => offset * array.shape[axis] + i, 0) * length;
  return array.data.subarray(first, first + length);
}

export function dot(a, b) {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  return sum;
}

/** target += factor · vector */
export function addTo(target, factor, vector) {
  for (let c = 0; c < target.length; c++) target[c] += factor * vector[c];
}
