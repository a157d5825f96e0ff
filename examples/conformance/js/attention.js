// Attention with a relative position bias, and its gradients.
//   S = scale · q kᵀ + table[index, h] + mask,   P = softmax(S) over the keys,   out = P v

import { addTo, dot, places, row, zeros } from "./array.js";

/**
 * q (B, H, Lq, d), k (B, H, Lk, d), v (B, H, Lk, dv), table (R, H), index (Lq, Lk);
 * mask broadcasts to (B, H, Lq, Lk), a first axis of nW windows repeats along the batch.
 * Returns out (B, H, Lq, dv) and p (B, H, Lq, Lk), which the backward pass needs.
 */
export function attention({ q, k, v, table, index, mask, scale = defaultScale(q) }) {
  const [batch, heads, queries] = q.shape;
  const keys = k.shape[2];
  if (keys === 0) throw new RangeError("k: attention needs at least one key, got none");
  const out = zeros([batch, heads, queries, v.shape[3]], q);
  const p = zeros([batch, heads, queries, keys], q);
  const s = new Float64Array(keys);
  for (const [b, h, i] of places([batch, heads, queries])) {
    // Pass 1: the scores of query i. The scale multiplies q·k only.
    for (let j = 0; j < keys; j++) {
      s[j] = scale * dot(row(q, b, h, i), row(k, b, h, j));
      if (table) s[j] += row(table, row(index, i)[j])[h];
      if (mask) s[j] += maskAt(mask, b, h, i, j);
    }
    // Pass 2: the softmax. Without the maximum exp overflows.
    softmax(s, row(p, b, h, i));
    // Pass 3: the mean of the values.
    row(p, b, h, i).forEach((weight, j) => addTo(row(out, b, h, i), weight, row(v, b, h, j)));
  }
  return { out, p };
}

/** From dout (B, H, Lq, dv): dq, dk, dv with the shapes of q, k, v, and dtable (R, H). */
export function attentionBackward(dout, p, { q, k, v, table, index, scale = defaultScale(q) }) {
  const [batch, heads, queries] = q.shape;
  const keys = k.shape[2];
  const [dq, dk, dv] = [q, k, v].map((value) => zeros(value.shape, value));
  const dtable = table && zeros(table.shape, table);
  const dp = new Float64Array(keys);
  for (const [b, h, i] of places([batch, heads, queries])) {
    const [pi, douti] = [row(p, b, h, i), row(dout, b, h, i)];
    // Pass 1: through the mean of the values.
    for (let j = 0; j < keys; j++) {
      addTo(row(dv, b, h, j), pi[j], douti);
      dp[j] = dot(douti, row(v, b, h, j));
    }
    // Pass 2: through the softmax and the scores.
    const mean = dot(pi, dp);
    for (let j = 0; j < keys; j++) {
      const ds = pi[j] * (dp[j] - mean);
      addTo(row(dq, b, h, i), scale * ds, row(k, b, h, j));
      addTo(row(dk, b, h, j), scale * ds, row(q, b, h, i));
      if (table) row(dtable, row(index, i)[j])[h] += ds; // over the batch and all pairs, no scale
    }
  }
  return { dq, dk, dv, ...(table && { dtable }) };
}

function defaultScale(q) {
  return 1 / Math.sqrt(q.shape[3]);
}

function softmax(scores, probabilities) {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const e = scores.map((score) => Math.exp(score - largest));
  const sum = e.reduce((a, b) => a + b);
  e.forEach((value, j) => (probabilities[j] = value / sum));
}

/** mask at (b mod nW, h, i, j); axes that are missing or have length 1 repeat. */
function maskAt(mask, ...place) {
  const shape = [1, 1, 1, ...mask.shape].slice(-4);
  return mask.data[place.reduce((at, i, axis) => at * shape[axis] + (i % shape[axis]), 0)];
}
