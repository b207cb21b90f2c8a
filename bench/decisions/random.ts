/** Random numbers that a seed decides: the same seed gives the same corpus on every machine. */
export interface Random {
  /** 0 <= x < 1. */
  next(): number;
  between(low: number, high: number): number;
  /** Evenly over the magnitudes: as many between 1 and 10 as between 10 and 100. */
  magnitude(low: number, high: number): number;
  /** Both ends included. */
  integer(low: number, high: number): number;
  chance(share: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  normal(): number;
  poisson(mean: number): number;
  /** `length` characters of those that Kubernetes puts into generated names. */
  word(length: number): string;
}

/** Without vowels and the digits 0, 1, 3: source, k8s.io/apimachinery `pkg/util/rand`. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Above this mean the normal distribution is as good, and far faster. */
const NORMAL_FROM = 60;

export function randomOf(seed: string): Random {
  const next = sfc32(seed);
  const normal = () =>
    // 1 - next() is never 0.
    Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const between = (low: number, high: number) => low + (high - low) * next();
  const integer = (low: number, high: number) => low + Math.floor((high - low + 1) * next());
  return {
    next,
    between,
    magnitude: (low, high) => Math.exp(between(Math.log(low), Math.log(high))),
    integer,
    chance: (share) => next() < share,
    pick: (items) => items[integer(0, items.length - 1)] ?? items[0],
    normal,
    poisson: (mean) => poisson(mean, next, normal),
    word: (length) => Array.from({ length }, () => ALPHABET[integer(0, ALPHABET.length - 1)]).join(""),
  };
}

function poisson(mean: number, next: () => number, normal: () => number): number {
  if (mean <= 0) return 0;
  if (mean > NORMAL_FROM) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = next(); product > limit; product *= next()) count += 1;
  return count;
}

/** Chris Doty-Humphrey's small fast counting generator (PractRand), seeded by a hash of the text. */
function sfc32(seed: string): () => number {
  let [a, b, c, counter] = [hash(seed, 1), hash(seed, 2), hash(seed, 3), 1];
  const step = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let warm = 0; warm < 12; warm += 1) step();
  return step;
}

/** FNV-1a, with the avalanche of MurmurHash3 at the end. */
function hash(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ salt;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) | 0;
}
