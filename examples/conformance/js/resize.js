// Resizing a table of "1d", "2d" or "3d": a matrix (n', n) per axis of offsets, in float64.

import { places, product } from "./array.js";

/** table (R, H) -> (R', H); three prefix rows are copied behind the resized ones. */
export function resize({ table, ...options }) {
  const { before, after, matrices } = axes(options);
  const rows = product(before) + (options.num_prefix_tokens > 0 ? 3 : 0);
  if (table.shape[0] !== rows)
    throw new RangeError(`table: ${rows} rows expected, got ${table.shape[0]}`);
  return multiplied(table, before, matrices, after);
}

/** dout (R', H) -> dtable (R, H): the same with the transposed matrices. */
export function resizeBackward(dout, options) {
  const { before, after, matrices } = axes(options);
  return { dtable: multiplied(dout, after, matrices.map(transposed), before) };
}

function axes({ window_size, new_window_size, method = "bicubic" }) {
  const offsets = (window) => [window].flat().map((size) => 2 * size - 1);
  const [before, after] = [offsets(window_size), offsets(new_window_size)];
  return { before, after, matrices: before.map((n, axis) => axisMatrix(n, after[axis], method)) };
}

/** Multiply the first Π before rows by a matrix per axis; copy the others. */
function multiplied(rows, before, matrices, after) {
  const [count, heads] = rows.shape;
  const split = product(before) * heads;
  let grid = Float64Array.from(rows.data.subarray(0, split));
  matrices.forEach((matrix, axis) => {
    const outer = product(after.slice(0, axis));
    grid = alongAxis(matrix, grid, outer, product(before.slice(axis + 1)) * heads);
  });
  const data = new rows.data.constructor(count * heads - split + grid.length);
  data.set(grid); // rounded once, here
  data.set(rows.data.subarray(split), grid.length);
  return { shape: [data.length / heads, heads], data };
}

/** grid (outer, n, inner) -> (outer, n', inner). A weight 0 is left out: 0 · ∞ is NaN. */
function alongAxis(matrix, grid, outer, inner) {
  const [after, before] = [matrix.length, matrix[0].length];
  const out = new Float64Array(outer * after * inner);
  for (const [o, i, j] of places([outer, after, before])) {
    if (matrix[i][j] === 0) continue;
    for (let c = 0; c < inner; c++) {
      out[(o * after + i) * inner + c] += matrix[i][j] * grid[(o * before + j) * inner + c];
    }
  }
  return out;
}

function axisMatrix(before, after, method) {
  if (before === after) return identity(before);
  if (method === "geometric") return splineMatrix(geometricSites(before, after), after);
  const kernels = { bicubic: cubic, linear: (x) => Math.max(1 - x, 0) };
  if (!(method in kernels))
    throw new RangeError(`method: bicubic, linear or geometric, not ${method}`);
  return kernelMatrix(before, after, kernels[method]);
}

/** Interpolation between cell centres; a place beyond the border reads the border. */
function kernelMatrix(before, after, kernel) {
  const matrix = Array.from({ length: after }, () => new Array(before).fill(0));
  matrix.forEach((weights, i) => {
    const s = ((2 * i + 1) * before - after) / (2 * after);
    for (let t = Math.floor(s) - 1; t < Math.floor(s) + 3; t++) {
      weights[Math.min(Math.max(t, 0), before - 1)] += kernel(Math.abs(s - t));
    }
  });
  return matrix;
}

function cubic(x) {
  const a = -0.75;
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

/** The sites 0, ±1, ±(1 + r), … of the old offsets; r is found by bisection. */
function geometricSites(before, after) {
  const sums = (r) => {
    const sites = [0];
    for (let i = 0; i < (before - 1) / 2; i++) sites.push(sites[i] + r ** i);
    return sites;
  };
  let [low, high, r] = [1.01, 1.5, 1.5];
  while (high - low > 1e-6) {
    r = (low + high) / 2;
    if (sums(r).at(-1) > (after - 1) / 2) high = r;
    else low = r;
  }
  const right = sums(r);
  return [
    ...right
      .slice(1)
      .reverse()
      .map((site) => -site),
    ...right,
  ];
}

/** W (n', n): column c is the not-a-knot spline through 1 at site c and 0 at the others. */
function splineMatrix(sites, after) {
  const n = sites.length;
  const at = Array.from({ length: after }, (_, i) => i - (after - 1) / 2);
  if (n === 1) return at.map(() => [1]);
  const h = sites.slice(1).map((site, i) => site - sites[i]);
  const curved = secondDerivatives(h);
  return at.map((place) => {
    const x = Math.min(Math.max(place, sites[0]), sites[n - 1]);
    const i = Math.max(
      0,
      sites.slice(0, n - 1).findLastIndex((site) => site <= x),
    );
    const [t, u] = [x - sites[i], sites[i + 1] - x];
    const bent = (w, c) => (w * (w * w - h[i] * h[i]) * c) / (6 * h[i]);
    return identity(n).map((y, c) => {
      return (u * y[i] + t * y[i + 1]) / h[i] + bent(u, curved[i][c]) + bent(t, curved[i + 1][c]);
    });
  });
}

/** M (n, n): the second derivatives at the sites, a column for each site with y = 1. */
function secondDerivatives(h) {
  const n = h.length + 1;
  const [left, right] = [0, 0].map(() => Array.from({ length: n }, () => new Array(n).fill(0)));
  const put = (matrix, i, first, ...values) => values.forEach((x, j) => (matrix[i][first + j] = x));
  for (let i = 1; i < n - 1; i++) {
    put(left, i, i - 1, h[i - 1], 2 * (h[i - 1] + h[i]), h[i]);
    put(right, i, i - 1, 6 / h[i - 1], -6 / h[i - 1] - 6 / h[i], 6 / h[i]);
  }
  if (n === 3) {
    put(left, 0, 0, 1, -1);
    put(left, 2, 1, 1, -1);
  } else {
    put(left, 0, 0, 1, -1 - h[0] / h[1], h[0] / h[1]);
    put(left, n - 1, n - 3, h[n - 2] / h[n - 3], -1 - h[n - 2] / h[n - 3], 1);
  }
  return solved(left, right);
}

/** X with left X = right, by Gauss-Jordan elimination with row pivoting. */
function solved(left, right) {
  const rows = left.map((values, i) => [...values, ...right[i]]);
  rows.forEach((_, i) => {
    const sizes = rows.map((values, j) => (j < i ? -1 : Math.abs(values[i])));
    const pivot = sizes.indexOf(Math.max(...sizes));
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    rows[i] = rows[i].map((x, _, values) => x / values[i]);
    rows.forEach((values, j) => {
      if (j !== i) rows[j] = values.map((x, c) => x - values[i] * rows[i][c]);
    });
  });
  return rows.map((values) => values.slice(left.length));
}

function identity(n) {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));
}

function transposed(matrix) {
  return matrix[0].map((_, j) => matrix.map((values) => values[j]));
}
