"use strict";
// The lines of map.html and where they are. Coordinates are whole centimetres of the plane, x east, y north; line i
// has the points offsets[i] to offsets[i + 1], and box holds west, south, east, north of each.
async function unpack(text) {
  const bytes = bytesOf(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text); // browsers from 2025 on, ten times as quick
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function loadLines(data) {
  const names = ["counts", "points", "rows", "widths", "classOf", "ends", "marks"];
  const [c, p, r, w, k, e, m] = await Promise.all(names.map((name) => unpack(data[name])));
  const counts = new Uint32Array(c), rows = new Uint32Array(r), widths = new Uint16Array(w);
  const classOf = new Uint8Array(k), ends = new Uint8Array(e), marks = new Uint8Array(m), n = counts.length;
  const points = new Int32Array(p), half = points.length / 2;
  const xs = points.subarray(0, half), ys = points.subarray(half);
  for (let i = 1; i < half; i++) { xs[i] += xs[i - 1]; ys[i] += ys[i - 1]; }
  const widest = widths.reduce((most, w) => Math.max(most, w), 0) / 2;
  const offsets = new Uint32Array(n + 1), box = new Int32Array(4 * n);
  for (let i = 0; i < n; i++) {
    offsets[i + 1] = offsets[i] + counts[i];
    let x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity;
    for (let j = offsets[i]; j < offsets[i + 1]; j++) {
      if (xs[j] < x0) x0 = xs[j];
      if (xs[j] > x1) x1 = xs[j];
      if (ys[j] < y0) y0 = ys[j];
      if (ys[j] > y1) y1 = ys[j];
    }
    box.set([x0, y0, x1, y1], 4 * i);
  }
  const index = cells();

  // An index: square cells over the layer, each with the lines whose box meets it; and lines that meet many.
  function cells() {
    const [x0, y0, x1, y1] = (data.bounds || [0, 0, 0, 0]).map((v) => Math.round(v * 100));
    const size = Math.max(1, Math.sqrt(((x1 - x0 + 1) * (y1 - y0 + 1)) / Math.max(1, n / 8)),
      Math.max(x1 - x0, y1 - y0) / 2000);
    const across = Math.floor((x1 - x0) / size) + 1, up = Math.floor((y1 - y0) / size) + 1;
    const clamp = (v, most) => Math.min(most - 1, Math.max(0, Math.floor(v)));
    const range = (a, b, c, d) => [clamp((a - x0) / size, across), clamp((b - y0) / size, up),
      clamp((c - x0) / size, across), clamp((d - y0) / size, up)];
    const starts = new Uint32Array(across * up + 1), wide = [];
    const each = (i, act) => {
      const [l, b, r, t] = range(box[4 * i], box[4 * i + 1], box[4 * i + 2], box[4 * i + 3]);
      if ((r - l + 1) * (t - b + 1) > 64) return false;
      for (let row = b; row <= t; row++) for (let col = l; col <= r; col++) act(row * across + col);
      return true;
    };
    for (let i = 0; i < n; i++) if (!each(i, (cell) => { starts[cell + 1]++; })) wide.push(i);
    for (let cell = 0; cell < across * up; cell++) starts[cell + 1] += starts[cell];
    const lines = new Uint32Array(starts[across * up]), next = starts.slice();
    for (let i = 0; i < n; i++) each(i, (cell) => { lines[next[cell]++] = i; });
    return { across, range, starts, lines, wide, seen: new Uint32Array(n), turn: 0 };
  }

  // Numbers of the lines whose box meets a box, of classes that are shown.
  function within(x0, y0, x1, y1, shown) {
    const found = [], turn = ++index.turn;
    const take = (i) => {
      if (index.seen[i] === turn) return;
      index.seen[i] = turn;
      if (box[4 * i] <= x1 && box[4 * i + 2] >= x0 && box[4 * i + 1] <= y1 && box[4 * i + 3] >= y0 &&
        shown[classOf[i]]) found.push(i);
    };
    const [l, b, r, t] = index.range(x0, y0, x1, y1);
    if ((r - l + 1) * (t - b + 1) * 2 > index.starts.length) for (let i = 0; i < n; i++) take(i);
    else {
      index.wide.forEach(take);
      for (let row = b; row <= t; row++) {
        const end = index.starts[row * index.across + r + 1];
        for (let j = index.starts[row * index.across + l]; j < end; j++) take(index.lines[j]);
      }
    }
    return found;
  }

  // Centimetres from a place to a line.
  function distance(i, x, y) {
    let least = Infinity;
    for (let j = offsets[i]; j + 1 < offsets[i + 1]; j++) {
      const ax = xs[j], ay = ys[j], dx = xs[j + 1] - ax, dy = ys[j + 1] - ay, square = dx * dx + dy * dy;
      const t = square ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
      least = Math.min(least, Math.hypot(ax + t * dx - x, ay + t * dy - y));
    }
    return least;
  }

  return { n, xs, ys, rows, widths, classOf, ends, marks, offsets, box, widest, within, distance };
}
