// The bias of a table, and the two lookups of schemes with a table of vectors.

import { addTo, dot, places, row, zeros } from "./array.js";

/** bias[h, i, j] = table[index[i, j], h]: table (R, H), index (Lq, Lk) -> (H, Lq, Lk) */
export function bias({ table, index }) {
  const out = zeros([table.shape[1], ...index.shape], table);
  for (const [h, i, j] of places(out.shape)) row(out, h, i)[j] = row(table, row(index, i)[j])[h];
  return out;
}

/** dbias (H, Lq, Lk) -> dtable (R, H): the sum over all pairs that read a row. */
export function biasBackward(dbias, { table, index }) {
  const dtable = zeros(table.shape, table);
  for (const [h, i, j] of places(dbias.shape)) {
    row(dtable, row(index, i)[j])[h] += row(dbias, h, i)[j];
  }
  return { dtable };
}

/** out[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]]: (B, H, Lq, d) -> (B, H, Lq, Lk) */
export function scoreLookup({ q, embedding, index }) {
  const out = zeros([...q.shape.slice(0, 3), index.shape[1]], q);
  for (const [b, h, i, j] of places(out.shape)) {
    row(out, b, h, i)[j] = dot(row(q, b, h, i), vectorOf(embedding, index, h, i, j));
  }
  return out;
}

/** dout (B, H, Lq, Lk) -> dq (B, H, Lq, d), dembedding (H or 1, R, d) */
export function scoreLookupBackward(dout, { q, embedding, index }) {
  const [dq, dembedding] = [zeros(q.shape, q), zeros(embedding.shape, embedding)];
  for (const [b, h, i, j] of places(dout.shape)) {
    const dscore = row(dout, b, h, i)[j];
    addTo(row(dq, b, h, i), dscore, vectorOf(embedding, index, h, i, j));
    addTo(vectorOf(dembedding, index, h, i, j), dscore, row(q, b, h, i));
  }
  return { dq, dembedding };
}

/** out[b, h, i] = Σ_j p[b, h, i, j] embedding[h, index[i, j]]: (B, H, Lq, Lk) -> (B, H, Lq, d) */
export function valueLookup({ p, embedding, index }) {
  const out = zeros([...p.shape.slice(0, 3), embedding.shape[2]], p);
  for (const [b, h, i, j] of places(p.shape)) {
    addTo(row(out, b, h, i), row(p, b, h, i)[j], vectorOf(embedding, index, h, i, j));
  }
  return out;
}

/** dout (B, H, Lq, d) -> dp (B, H, Lq, Lk), dembedding (H or 1, R, d) */
export function valueLookupBackward(dout, { p, embedding, index }) {
  const [dp, dembedding] = [zeros(p.shape, p), zeros(embedding.shape, embedding)];
  for (const [b, h, i, j] of places(p.shape)) {
    row(dp, b, h, i)[j] = dot(row(dout, b, h, i), vectorOf(embedding, index, h, i, j));
    addTo(vectorOf(dembedding, index, h, i, j), row(p, b, h, i)[j], row(dout, b, h, i));
  }
  return { dp, dembedding };
}

/** The vector that pair (i, j) reads in head h. One set of vectors is shared by all heads. */
function vectorOf(embedding, index, h, i, j) {
  return row(embedding, h % embedding.shape[0], row(index, i)[j]);
}
