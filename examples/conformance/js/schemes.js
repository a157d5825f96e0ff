// The index of each scheme: which row of the table query i and key j read.
// An offset is the position of the query minus that of the key.

import { places, product } from "./array.js";
import { irpeBucket, roundedRoot, t5Bucket } from "./buckets.js";

/**
 * The index (P + Lq, P + Lk). rowOf: function of the coordinates of the query and of the key.
 * prefixRows: the rows that prefix → grid, grid → prefix and prefix → prefix read.
 */
function indexOf(rowOf, { qSize, kSize, prefix }, prefixRows) {
  const none = new Array(prefix).fill(null);
  const [queries, keys] = [
    [...none, ...places(qSize)],
    [...none, ...places(kSize)],
  ];
  const [toGrid, toPrefix, within] = prefixRows;
  const data = queries.flatMap((query) => {
    return keys.map((key) => {
      if (query && key) return rowOf(query, key);
      return query ? toPrefix : key ? toGrid : within;
    });
  });
  return { shape: [queries.length, keys.length], data: Int32Array.from(data) };
}

/** Two indices as one (2, P + Lq, P + Lk). */
function stacked(indices) {
  const data = indices.flatMap((index) => [...index.data]);
  return { shape: [indices.length, ...indices[0].shape], data: Int32Array.from(data) };
}

const same = (value) => [value, value, value];
const three = (first) => [first, first + 1, first + 2];

/** "1d", "2d", "3d", "maxvit": a row for each offset of the window, row-major. */
const offsetIndex = (prefixRows) => (sizes) => {
  const { window, qOffset } = sizes;
  const rowOf = (query, key) => {
    const shifted = window.map((n, axis) => qOffset + query[axis] - key[axis] + n - 1);
    return shifted.reduce((at, offset, axis) => at * (2 * window[axis] - 1) + offset, 0);
  };
  return indexOf(rowOf, sizes, prefixRows(product(window.map((n) => 2 * n - 1))));
};

/** Schemes that compute the bias: a row for each offset between the two grids. */
function computedIndex(sizes, { causal = false }) {
  const { qSize, kSize } = sizes;
  const counts = qSize.map((q, axis) => q + kSize[axis] - 1);
  const rowOf = (query, key) => {
    return counts.reduce((at, n, axis) => at * n + query[axis] - key[axis] + kSize[axis] - 1, 0);
  };
  const rows = product(counts);
  return indexOf(rowOf, sizes, [causal ? rows + 1 : rows, rows, rows]);
}

function t5Index(sizes, options) {
  const rowOf = ([query], [key]) => t5Bucket(sizes.qOffset + query - key, options);
  return indexOf(rowOf, sizes, same(options.num_buckets));
}

function shawIndex(sizes, { max_distance: m }) {
  const rowOf = ([query], [key]) => Math.min(Math.max(sizes.qOffset + query - key, -m), m) + m;
  return indexOf(rowOf, sizes, same(2 * m + 1));
}

function levitIndex(sizes, { stride }) {
  const [height, width] = sizes.window;
  const rowOf = (query, key) => {
    const [dy, dx] = query.map((q, axis) => Math.abs(stride * q - key[axis]));
    return dy * width + dx;
  };
  return indexOf(rowOf, sizes, three(height * width));
}

/** "halo", "decomposed": a table for each axis. */
function indexPerAxis(axisRow, sizes) {
  return stacked(
    sizes.window.map((size, axis) => {
      const rowOf = (query, key) => axisRow(query[axis], key[axis], axis);
      return indexOf(rowOf, sizes, same(2 * size - 1));
    }),
  );
}

function haloIndex(sizes, { halo_size: halo }) {
  return indexPerAxis((query, key, axis) => query + halo - key + sizes.window[axis] - 1, sizes);
}

function decomposedIndex(sizes) {
  const axisRow = (query, key, axis) => {
    const [q, k] = [sizes.qSize[axis], sizes.kSize[axis]];
    return Math.floor(((query * k - key * q + (k - 1) * q) * Math.max(q, k)) / (q * k));
  };
  return indexPerAxis(axisRow, sizes);
}

function irpeIndex(sizes, { method, ratio }) {
  const { bucket, last } = irpeBucket(ratio);
  const side = 2 * last + 1;
  const g = (x) => bucket(x) + last;
  const ofOffset = (rowOf, rows) => {
    return indexOf(([y, x], [v, u]) => rowOf(y - v, x - u), sizes, same(rows));
  };
  switch (method) {
    case "euclidean":
      return ofOffset((dy, dx) => g(roundedRoot(dy * dy + dx * dx)), side);
    case "quant":
      return ofOffset((dy, dx) => g(dy * dy + dx * dx), side);
    case "product":
      return ofOffset((dy, dx) => g(dy) * side + g(dx), side * side);
    case "cross": {
      const count = side + (sizes.prefix > 0 ? 1 : 0);
      const across = ofOffset((dy, dx) => g(dx), side);
      return stacked([
        ofOffset((dy) => g(dy), side),
        { ...across, data: across.data.map((at) => at + count) },
      ]);
    }
    default:
      throw new RangeError(`method: euclidean, quant, product or cross, not ${method}`);
  }
}

const scheme = (axes, index, options = {}) => ({ axes, index, options });
const t5 = scheme([1], t5Index, { num_buckets: 32, max_distance: 128, bidirectional: true });
const irpe = scheme([2], irpeIndex, { method: "product", ratio: 1.9 });
const computed = (axes) => scheme([axes], computedIndex);
const causal = scheme([1], computedIndex, { causal: false });

/** {name: {axes, index, options with their defaults}} */
export const SCHEMES = {
  "1d": scheme([1], offsetIndex(three)),
  "2d": scheme([2], offsetIndex(three)),
  "3d": scheme([3], offsetIndex(three)),
  maxvit: scheme([2], offsetIndex(same)),
  levit: scheme([2], levitIndex, { stride: 1 }),
  t5,
  gated_t5: t5,
  shaw: scheme([1], shawIndex, { max_distance: 16 }),
  halo: scheme([2], haloIndex, { halo_size: 0 }),
  decomposed: scheme([2], decomposedIndex),
  irpe,
  irpe_bias: irpe,
  log_cpb: computed(2),
  rel_pos_mlp: computed(2),
  dynamic: computed(2),
  alibi2d: computed(2),
  dynamic_1d: computed(1),
  transformer_xl: computed(1),
  alibi: causal,
  kerple: causal,
  sandwich: causal,
};

/** The index of a scheme, with the arguments of the page's part 4. */
export function schemeIndex(name, given) {
  const { window_size: window, num_prefix_tokens: prefix = 0, q_size, k_size, ...rest } = given;
  const { q_offset: qOffset = 0, ...chosen } = rest;
  const { index, options } = SCHEMES[name];
  const unknown = Object.keys(chosen).filter((option) => !(option in options));
  if (unknown.length > 0) throw new RangeError(`${name}: unknown option ${unknown[0]}`);
  const qSize = q_size ?? defaultQueries(window, chosen);
  const sizes = { window, qSize, kSize: k_size ?? window, qOffset, prefix };
  return index(sizes, { ...options, ...chosen });
}

/** LeViT's queries are every stride-th token, HaloNet's the block in the middle. */
function defaultQueries(window, { stride = 1, halo_size = 0 }) {
  return window.map((size) => Math.ceil(size / stride) - 2 * halo_size);
}
