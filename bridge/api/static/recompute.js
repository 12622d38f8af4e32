// Recomputes an entry's id from the words on its page, with a keccak-256 of its own (FIPS 202's
// permutation with the padding of the original submission, as Ethereum uses it). No library, no request.
"use strict";

const MASK = (1n << 64n) - 1n;
const ROTATIONS = [
  [0n, 36n, 3n, 41n, 18n], [1n, 44n, 10n, 45n, 2n], [62n, 6n, 43n, 15n, 61n],
  [28n, 55n, 25n, 21n, 56n], [27n, 20n, 39n, 8n, 14n],
];
const ROUNDS = [
  0x0000000000000001n, 0x0000000000008082n, 0x800000000000808an, 0x8000000080008000n,
  0x000000000000808bn, 0x0000000080000001n, 0x8000000080008081n, 0x8000000000008009n,
  0x000000000000008an, 0x0000000000000088n, 0x0000000080008009n, 0x000000008000000an,
  0x000000008000808bn, 0x800000000000008bn, 0x8000000000008089n, 0x8000000000008003n,
  0x8000000000008002n, 0x8000000000000080n, 0x000000000000800an, 0x800000008000000an,
  0x8000000080008081n, 0x8000000000008080n, 0x0000000080000001n, 0x8000000080008008n,
];
const RATE = 136;

const rotate = (lane, by) => by ? ((lane << by) | (lane >> (64n - by))) & MASK : lane;

function permute(a) {
  for (const round of ROUNDS) {
    const c = a.map((column) => column.reduce((x, y) => x ^ y));
    for (let x = 0; x < 5; x++) {
      const d = c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1n);
      for (let y = 0; y < 5; y++) a[x][y] ^= d;
    }
    const b = [[], [], [], [], []];
    for (let x = 0; x < 5; x++) {
      for (let y = 0; y < 5; y++) b[y][(2 * x + 3 * y) % 5] = rotate(a[x][y], ROTATIONS[x][y]);
    }
    for (let x = 0; x < 5; x++) {
      for (let y = 0; y < 5; y++) {
        a[x][y] = b[x][y] ^ (~b[(x + 1) % 5][y] & MASK & b[(x + 2) % 5][y]);
      }
    }
    a[0][0] ^= round;
  }
}

function keccak(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 1) / RATE) * RATE);
  padded.set(bytes);
  padded[bytes.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const state = Array.from({ length: 5 }, () => [0n, 0n, 0n, 0n, 0n]);
  const view = new DataView(padded.buffer);
  for (let start = 0; start < padded.length; start += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) {
      state[lane % 5][Math.floor(lane / 5)] ^= view.getBigUint64(start + 8 * lane, true);
    }
    permute(state);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) out.setBigUint64(8 * lane, state[lane][0], true);
  return new Uint8Array(out.buffer);
}

const utf8 = (text) => new TextEncoder().encode(text);
const fromHex = (text) => Uint8Array.from(text.slice(2).match(/../g), (pair) => parseInt(pair, 16));
const toHex = (bytes) => "0x" + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

// A word from what people read, not from the word that the server printed beside it.
function word(row) {
  const shown = row.querySelector("[data-value]").textContent;
  const kind = row.dataset.kind;
  if (kind === "text") return keccak(utf8(shown));
  const hex = kind === "number" ? BigInt(shown).toString(16) : shown.slice(2);
  return fromHex("0x" + hex.padStart(64, "0"));
}

function struct(table, ref) {
  const words = Array.from(table.querySelectorAll("tr[data-kind]"), (row) =>
    row.dataset.kind === "ref" ? ref : word(row));
  return keccak(join(keccak(utf8(table.dataset.type)), ...words));
}

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("recompute");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const ref = struct(document.getElementById("metadata"));
    const entry = struct(document.getElementById("encoding"), ref);
    const domain = fromHex(button.dataset.domain);
    const id = toHex(keccak(join(fromHex("0x1901"), domain, entry)));
    const said = document.getElementById("recomputed");
    const same = id === button.dataset.id;
    said.textContent = (same ? "Your browser computes the same id: " : "NOT THE SAME: your browser computes ") + id;
    said.className = same ? "good mono" : "bad mono";
  });
});
