// Queries and keys of Swin V2's attention: q' = τ q/‖q‖, k' = k/‖k‖, τ = exp(min(logit_scale, ln 100)).

import { addTo, dot, places, row, zeros } from "./array.js";

const LARGEST = Math.log(100);
const SHORTEST = 1e-12;

/** q (B, H, Lq, d), k (B, H, Lk, d), logit_scale (H, 1, 1) -> [q', k'] */
export function cosine({ q, k, logit_scale }) {
  return [
    mapVectors(q, (u, h) => u.map((x) => (factor(logit_scale, h) * x) / length(u))),
    mapVectors(k, (u) => u.map((x) => x / length(u))),
  ];
}

/** The gradients from those of q' and k'. */
export function cosineBackward([dqueries, dkeys], { q, k, logit_scale }) {
  const dq = mapVectors(q, (u, h, ...place) => {
    return throughLength(scaled(row(dqueries, ...place), factor(logit_scale, h)), u);
  });
  const dk = mapVectors(k, (u, h, ...place) => throughLength(wide(row(dkeys, ...place)), u));
  const dlogit_scale = zeros(logit_scale.shape, logit_scale);
  for (const [b, h, i] of places(q.shape.slice(0, 3))) {
    if (logit_scale.data[h] > LARGEST) continue; // the clamp has no gradient
    const u = wide(row(q, b, h, i));
    const along = dot(row(dqueries, b, h, i), u) / length(u);
    dlogit_scale.data[h] += factor(logit_scale, h) * along;
  }
  return { dq, dk, dlogit_scale };
}

/** dû − û (û·dû), over ‖u‖; a vector shorter than the bound is only divided by it. */
function throughLength(dhat, u) {
  const hat = scaled(u, 1 / length(u));
  const du = scaled(dhat, 1 / length(u));
  if (Math.sqrt(dot(u, u)) > SHORTEST) addTo(du, -dot(hat, dhat) / length(u), hat);
  return du;
}

const factor = (logit_scale, h) => Math.exp(Math.min(logit_scale.data[h], LARGEST));
const length = (u) => Math.max(Math.sqrt(dot(u, u)), SHORTEST);
const wide = (u) => Float64Array.from(u);
const scaled = (u, by) => wide(u).map((x) => x * by);

/** Apply a function of the vector, the head and its place to all vectors of (B, H, L, d). */
function mapVectors(array, mapped) {
  const out = zeros(array.shape, array);
  for (const place of places(array.shape.slice(0, 3))) {
    row(out, ...place).set(mapped(wide(row(array, ...place)), place[1], ...place));
  }
  return out;
}
