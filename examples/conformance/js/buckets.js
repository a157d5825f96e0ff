// Buckets of distances, by integers of any length: the rounding of a logarithm decides nothing.

/** T5: distances below m have a bucket each, then n is the largest with d^m ≥ D^n · m^(m − n). */
export function t5Bucket(offset, { num_buckets, max_distance, bidirectional }) {
  const side = bidirectional ? num_buckets / 2 : num_buckets;
  const first = bidirectional && offset < 0 ? side : 0; // keys after the query
  const distance = bidirectional ? Math.abs(offset) : Math.max(offset, 0);
  const m = Math.floor(side / 2);
  if (distance < m) return first + distance;
  const [d, far, near] = [Math.min(distance, max_distance), max_distance, m].map(BigInt);
  const reached = (n) => d ** near >= far ** BigInt(n) * near ** BigInt(m - n);
  let n = 0;
  while (n < m - 1 && reached(n + 1)) n++;
  return first + m + n;
}

/**
 * iRPE: x itself up to α = ratio, then round(α + α ln(|x|/α) / ln 8), at most last = ⌊2α⌋.
 * Returns {bucket, last}.
 */
export function irpeBucket(ratio) {
  const [p, q] = fraction(ratio);
  const last = Math.floor((2 * p) / q);
  // The rounded number is at least n if (q|x|)^2p > p^2p · 8^(2qn − q − 2p); halves go to even n.
  const reached = (size, n) => {
    const exponent = 2 * q * n - q - 2 * p;
    const left = BigInt(q * size) ** BigInt(2 * p) * 8n ** BigInt(Math.max(-exponent, 0));
    const right = BigInt(p) ** BigInt(2 * p) * 8n ** BigInt(Math.max(exponent, 0));
    return left > right || (left === right && n % 2 === 0);
  };
  const bucket = (x) => {
    if (Math.abs(x) * q <= p) return x;
    let n = 0;
    while (n < last && reached(Math.abs(x), n + 1)) n++;
    return Math.sign(x) * n;
  };
  return { bucket, last };
}

/** round √s of an integer s; it is never a half. */
export function roundedRoot(s) {
  const r = Math.floor(Math.sqrt(s));
  return s > r * r + r ? r + 1 : r;
}

/** A decimal number as a fraction in lowest terms: 1.9 -> [19, 10]. */
function fraction(number) {
  const digits = (String(number).split(".")[1] ?? "").length;
  const [p, q] = [Math.round(number * 10 ** digits), 10 ** digits];
  const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));
  return [p / divisor(p, q), q / divisor(p, q)];
}
