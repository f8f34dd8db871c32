/**
 * The permutation that gives share i its number (docs/draw.md, "Numbers"), in both directions.
 */
import { bytesOf, hmac, unsigned, word } from "./bytes.js";

// [bits of N - 1 up to here, rounds]
const ROUNDS = [
  [9, 36],
  [13, 30],
  [19, 24],
  [31, 18],
  [40, 12],
];

export class Permutation {
  #words = new Map();

  /** `seed`: 32 bytes; `total`: N. */
  static async of(seed, total) {
    const one = new Permutation();
    one.total = total;
    one.a = ceilRoot(total);
    one.b = Math.ceil(total / one.a);
    const bits = total === 1 ? 0 : (total - 1).toString(2).length;
    one.rounds = ROUNDS.find(([limit]) => bits <= limit)[1];
    one.mac = await hmac(await (await hmac(seed))(bytesOf("scarce/draw/v1/permutation")));
    return one;
  }

  async forth(index) {
    let x = index;
    do {
      let [low, high] = [x % this.a, Math.floor(x / this.a)];
      for (let j = 1; j <= this.rounds; j += 2) {
        low = (low + (await this.#round(j, high, this.a))) % this.a;
        high = (high + (await this.#round(j + 1, low, this.b))) % this.b;
      }
      x = this.a * high + low;
    } while (x >= this.total);
    return x;
  }

  async back(place) {
    let x = place;
    do {
      let [low, high] = [x % this.a, Math.floor(x / this.a)];
      for (let j = this.rounds - 1; j >= 1; j -= 2) {
        high = (high + this.b - (await this.#round(j + 1, low, this.b))) % this.b;
        low = (low + this.a - (await this.#round(j, high, this.a))) % this.a;
      }
      x = this.a * high + low;
    } while (x >= this.total);
    return x;
  }

  /** F(j, v) modulo one of the two sides. */
  async #round(j, v, side) {
    const counter = Math.floor(v / 4) + 1;
    const name = `${j}/${counter}`;
    if (!this.#words.has(name)) {
      this.#words.set(name, await this.mac(unsigned(j, 1), unsigned(counter, 4)));
    }
    return Number(word(this.#words.get(name), (v % 4) * 8) % BigInt(side));
  }
}

/** The least integer whose square is n or more; n is at most 10^12, where doubles are exact. */
function ceilRoot(n) {
  const near = Math.floor(Math.sqrt(n));
  return [near - 1, near, near + 1].find((root) => root >= 0 && root * root >= n);
}
