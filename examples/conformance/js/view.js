// What the page shows, without the page: the index of a scheme, a bias for it, places and colours.

import { bias } from "./bias.js";
import { places, product } from "./array.js";
import { SCHEMES, schemeIndex } from "./schemes.js";

const LEARNED_PREFIX = ["1d", "2d", "3d", "levit", "irpe", "irpe_bias"];

/**
 * choice: {scheme, window_size, num_prefix_tokens, …options of the scheme}. Returns the sizes of the
 * grids, the index as one matrix per table, (Lq, Lk) each, and a bias (Lq, Lk) of one head.
 */
export function view({ scheme, ...choice }) {
  const qSize = queryGrid(choice);
  const index = schemeIndex(scheme, choice);
  const [queries, keys] = index.shape.slice(-2);
  const count = queries * keys;
  const indices = Array.from({ length: index.data.length / count }, (_, table) => {
    const data = index.data.subarray(table * count, (table + 1) * count);
    return { shape: [queries, keys], data };
  });
  const values = indices.map((one, which) => {
    return bias({ table: randomTable(which, scheme, choice, one), index: one }).data;
  });
  const total = values[0].map((_, at) => values.reduce((sum, value) => sum + value[at], 0));
  const prefix = choice.num_prefix_tokens;
  return {
    qSize,
    kSize: choice.window_size,
    prefix,
    indices,
    bias: { shape: [queries, keys], data: total },
  };
}

/** The grid of the queries: LeViT's every stride-th token, HaloNet's block, else the window. */
function queryGrid({ window_size, stride = 1, halo_size = 0 }) {
  const size = window_size.map((length) => Math.ceil(length / stride) - 2 * halo_size);
  if (size.some((length) => length < 1)) {
    throw new RangeError("window: no query is left, choose a larger one");
  }
  return size;
}

/** A table (R, 1) drawn at random. Rows that are not learned hold 0, and −∞ where causal masks. */
function randomTable(which, scheme, { num_prefix_tokens: prefix, causal, window_size }, index) {
  const rows = index.data.reduce((a, b) => Math.max(a, b)) + 1;
  const data = Float64Array.from({ length: rows }, (_, r) => random(r + 1 + 4096 * which));
  if (causal) data.fill(-Infinity, 0, product(window_size) - 1); // the keys after the query
  if (prefix > 0 && !LEARNED_PREFIX.includes(scheme)) {
    data[index.data[0]] = 0;
    if (causal) data[index.data[prefix]] = -Infinity;
  }
  return { shape: [rows, 1], data };
}

/** A number in [−1, 1) that is always the same for a row: the finalizer of MurmurHash3. */
function random(row) {
  let bits = Math.imul(row, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** The place {x, y} of each token: prefix tokens in a row above, frames of three axes in a row. */
export function tokenPlaces(size, prefix) {
  const [width, height] = [size.at(-1), size.at(-2) ?? 1];
  const top = prefix > 0 ? 1.4 : 0;
  const first = Array.from({ length: prefix }, (_, x) => ({ x, y: 0 }));
  const cells = places([1, 1, ...size].slice(-3)).map(([t, y, x]) => {
    return { x: x + t * (width + 0.6), y: y + top };
  });
  const frames = size.length === 3 ? size[0] : 1;
  const across = Math.max(prefix, frames * width + (frames - 1) * 0.6);
  return { cells: [...first, ...cells], width: across, height: top + height };
}

/** "prefix 0" or the coordinates of a token. */
export function tokenName(token, size, prefix) {
  return token < prefix ? `prefix ${token}` : `(${places(size)[token - prefix].join(", ")})`;
}

const SEQUENTIAL = ["#20134b", "#3b4f9f", "#21908d", "#5cc863", "#fde725"];
const DIVERGING = ["#2166ac", "#8fc0de", "#f5f3ef", "#f0a582", "#b2182b"];

export const rowColour = (row, rows) => between(SEQUENTIAL, rows > 1 ? row / (rows - 1) : 0.5);

/** Blue below 0, red above; −∞ is dark grey. */
export const biasColour = (x, most) =>
  x === -Infinity ? "#3a3a40" : between(DIVERGING, (x / most + 1) / 2);

function between(colours, share) {
  const at = share * (colours.length - 1);
  const first = Math.min(Math.floor(at), colours.length - 2);
  const channels = [1, 3, 5].map((c) => {
    const [low, high] = [first, first + 1].map((i) => parseInt(colours[i].slice(c, c + 2), 16));
    return Math.round(low + (at - first) * (high - low));
  });
  return `rgb(${channels.join(" ")})`;
}

/** The defaults of the page for a scheme. */
export function firstChoice(scheme) {
  const { axes, options } = SCHEMES[scheme];
  const window_size = { 1: [12], 2: [5, 6], 3: [2, 3, 4] }[axes[0]];
  const small = { halo_size: 1, num_buckets: 8, max_distance: scheme === "shaw" ? 4 : 8 };
  const fit = Object.entries(options).map(([name, value]) => [name, small[name] ?? value]);
  return { scheme, window_size, num_prefix_tokens: 1, ...Object.fromEntries(fit) };
}
