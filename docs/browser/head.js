// What a head map needs of electrodes: where they lie, their order from front to back, and what each has in the
// points of a grid among them.
import { parse } from "./names.js";

const GRID = 44, RADIUS = 0.095; // as the reports have them

// Of channels by name, with a table of electrodes {NAME: [x, y]} from front to back: names, places, order, head.
export function heads(names, table) {
  const rank = new Map(Object.keys(table).map((name, i) => [name, i]));
  const keys = names.map((name) => parse(name)).map(({ key, kind }) => (kind === "electrode" ? key : ""));
  const at = (i) => rank.get(keys[i]) ?? rank.size;
  const places = keys.map((key) => table[key] ?? null);
  return {
    channels: names.map((name, i) => ({ name, place: places[i], made: false })),
    order: names.map((_, i) => i).sort((a, b) => at(a) - at(b) || a - b),
    head: headWeights(places),
  };
}

// A thin plate spline (a plane and r^2 log r about each electrode; Duchon 1977) through the electrodes, in the
// points of the grid that lie among them. Nothing where there are fewer than four, or all on a line.
export function headWeights(places) {
  const rows = places.map((place, i) => (place ? i : -1)).filter((i) => i >= 0);
  const at = rows.map((i) => places[i].map((v) => v / RADIUS)), n = at.length;
  if (n < 4) return null;
  const spline = (a, b) => {
    const r = Math.hypot(a[0] - b[0], a[1] - b[1]);
    return r > 0 ? r * r * Math.log(r) : 0;
  };
  const terms = (point) => [...at.map((own) => spline(point, own)), 1, ...point];
  const plane = [0, 1, 2].map((k) => [...at.map((own) => (k ? own[k - 1] : 1)), 0, 0, 0]);
  const solved = inverse([...at.map(terms), ...plane]);
  if (!solved) return null;
  const edge = hull(at), inside = [], weights = [];
  for (let i = 0; i < GRID * GRID; i++) {
    const point = [((i % GRID) + 0.5) / GRID * 2 - 1, 1 - (Math.floor(i / GRID) + 0.5) / GRID * 2];
    if (!within(edge, point)) continue;
    inside.push(i);
    const own = terms(point);
    for (let j = 0; j < n; j++) weights.push(own.reduce((sum, value, k) => sum + value * solved[k][j], 0));
  }
  return inside.length ? { grid: GRID, whole: 1, inside, rows, weights: Float32Array.from(weights) } : null;
}

// By Gauss and Jordan, with the largest as pivot; null for a matrix that has none.
function inverse(matrix) {
  const n = matrix.length, work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let c = 0; c < n; c++) {
    let best = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(work[r][c]) > Math.abs(work[best][c])) best = r;
    if (Math.abs(work[best][c]) < 1e-9) return null;
    [work[c], work[best]] = [work[best], work[c]];
    const pivot = work[c][c];
    for (let j = 0; j < 2 * n; j++) work[c][j] /= pivot;
    for (let r = 0; r < n; r++) {
      const by = work[r][c];
      if (r !== c && by) for (let j = 0; j < 2 * n; j++) work[r][j] -= by * work[c][j];
    }
  }
  return work.map((row) => row.slice(n));
}

const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);

// The outermost points, counter-clockwise (Andrew 1979).
function hull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (order) => {
    const chain = [];
    for (const point of order) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

const within = (edge, point) => edge.every((corner, i) => turn(corner, edge[(i + 1) % edge.length], point) >= 0);
