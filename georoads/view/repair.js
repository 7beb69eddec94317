// Repairing the lines of map.js by hand: draw what is missing, along the way of highest p where the page knows it,
// delete what is wrong, mark what is right; and save that as a file of edits for `georoads apply`.

// The place at so many metres east and north of a middle, on WGS 84: the plane of the map keeps distance and azimuth
// from there (T. Vincenty, Direct and inverse solutions of geodesics on the ellipsoid, Survey Review 1975).
function lonLat({ lon, lat }, east, north) {
  const a = 6378137, f = 1 / 298.257223563, b = a * (1 - f), rad = Math.PI / 180;
  const s = Math.hypot(east, north), azimuth = Math.atan2(east, north);
  const sin1 = Math.sin(azimuth), cos1 = Math.cos(azimuth);
  const tanU = (1 - f) * Math.tan(lat * rad), cosU = 1 / Math.hypot(1, tanU), sinU = tanU * cosU;
  const sinA = cosU * sin1, cosSqA = 1 - sinA * sinA, uSq = (cosSqA * (a * a - b * b)) / (b * b);
  const A = 1 + (uSq / 16384) * (4096 + uSq * (-768 + uSq * (320 - 175 * uSq)));
  const B = (uSq / 1024) * (256 + uSq * (-128 + uSq * (74 - 47 * uSq)));
  const sigma1 = Math.atan2(tanU, cos1);
  let sigma = s / (b * A), cos2 = 0;
  for (let i = 0, last = Infinity; i < 20 && Math.abs(sigma - last) > 1e-14; i++) {
    cos2 = Math.cos(2 * sigma1 + sigma);
    const sin = Math.sin(sigma), cos = Math.cos(sigma), square = cos2 * cos2;
    const rest = (B / 6) * cos2 * (4 * sin * sin - 3) * (4 * square - 3);
    last = sigma;
    sigma = s / (b * A) + B * sin * (cos2 + (B / 4) * (cos * (2 * square - 1) - rest));
  }
  const sin = Math.sin(sigma), cos = Math.cos(sigma), turn = sinU * sin - cosU * cos * cos1;
  const phi = Math.atan2(sinU * cos + cosU * sin * cos1, (1 - f) * Math.hypot(sinA, turn));
  const lambda = Math.atan2(sin * sin1, cosU * cos - sinU * sin * cos1);
  const C = (f / 16) * cosSqA * (4 + f * (4 - 3 * cosSqA));
  const rest = sigma + C * sin * (cos2 + C * cos * (2 * cos2 * cos2 - 1));
  const degrees = lon + (lambda - (1 - C) * f * sinA * rest) / rad;
  return [((degrees + 540) % 360) - 180, phi / rad].map((v) => Number(v.toFixed(9)));
}

// The way of highest p between two places of the plane (metres): the product of p along it is largest (E. W.
// Dijkstra, A note on two problems in connexion with graphs, 1959, over pixels and their eight neighbours, led to the
// goal as by P. E. Hart and others, A formal basis for the heuristic determination of minimum cost paths, 1968), but
// that a pixel costs something by itself, too.
// Returns { points, p }: the way, and its mean p; null where the places lie beyond the raster or too far apart.
function wayOfHighestP(raster, from, to) {
  const MARGIN = 60, MOST = 1500, LEAST_P = 0.05, STEP_COST = 1; // a way along a road may be four times as long
  const { levels, width, height, bounds } = raster, px = (bounds[2] - bounds[0]) / width;
  const cell = ([x, y]) => [Math.floor((x - bounds[0]) / px), Math.floor((bounds[3] - y) / px)];
  const [c0, r0] = cell(from), [c1, r1] = cell(to);
  const inside = (c, r) => c >= 0 && r >= 0 && c < width && r < height;
  if (!inside(c0, r0) || !inside(c1, r1)) return null;
  const margin = MARGIN + Math.max(Math.abs(c1 - c0), Math.abs(r1 - r0)) / 2;
  const left = Math.max(0, Math.floor(Math.min(c0, c1) - margin));
  const top = Math.max(0, Math.floor(Math.min(r0, r1) - margin));
  const w = Math.min(width, Math.ceil(Math.max(c0, c1) + margin)) - left;
  const h = Math.min(height, Math.ceil(Math.max(r0, r1) + margin)) - top;
  if (w > MOST || h > MOST) return null;
  const costOf = Float64Array.from({ length: 256 }, (_, level) => STEP_COST - Math.log(Math.max(LEAST_P, level / 254)));
  costOf[255] = costOf[0]; // nothing is known there
  const costs = new Float64Array(w * h);
  for (let i = 0, row = 0; row < h; row++) {
    const from = (top + row) * width + left;
    for (let j = from; j < from + w; j++) costs[i++] = costOf[levels[j]];
  }
  const best = new Float64Array(w * h).fill(Infinity), before = new Int32Array(w * h).fill(-1);
  const heap = [], keys = [];
  const push = (i, key) => {
    let at = heap.length;
    for (let up; at > 0 && keys[(up = (at - 1) >> 1)] > key; at = up) { heap[at] = heap[up]; keys[at] = keys[up]; }
    heap[at] = i; keys[at] = key;
  };
  const pop = () => {
    const first = heap[0], i = heap.pop(), key = keys.pop();
    for (let at = 0; heap.length;) {
      let next = 2 * at + 1;
      if (next + 1 < heap.length && keys[next + 1] < keys[next]) next++;
      if (next >= heap.length || keys[next] >= key) { heap[at] = i; keys[at] = key; break; }
      heap[at] = heap[next]; keys[at] = keys[next]; at = next;
    }
    return first;
  };
  const start = (r0 - top) * w + c0 - left, goal = (r1 - top) * w + c1 - left;
  // What the rest costs at least: the cells to the goal, all with p = 1.
  const rest = (row, col) => {
    const dr = Math.abs(row - (r1 - top)), dc = Math.abs(col - (c1 - left));
    return STEP_COST * (Math.max(dr, dc) + (Math.SQRT2 - 1) * Math.min(dr, dc));
  };
  const isDone = new Uint8Array(w * h);
  best[start] = 0;
  push(start, 0);
  while (heap.length) {
    const i = pop();
    if (i === goal) break;
    if (isDone[i]) continue;
    isDone[i] = 1;
    const col = i % w, row = (i - col) / w;
    for (let r = Math.max(0, row - 1); r <= Math.min(h - 1, row + 1); r++) {
      for (let c = Math.max(0, col - 1); c <= Math.min(w - 1, col + 1); c++) {
        const j = r * w + c;
        if (isDone[j]) continue;
        const cost = best[i] + ((r !== row && c !== col ? Math.SQRT2 : 1) * (costs[i] + costs[j])) / 2;
        if (cost < best[j]) { best[j] = cost; before[j] = i; push(j, cost + rest(r, c)); }
      }
    }
  }
  const cells = [];
  for (let i = goal; i >= 0; i = before[i]) cells.push(i);
  cells.reverse();
  const level = (i) => levels[(top + Math.floor(i / w)) * width + left + (i % w)];
  const p = cells.reduce((sum, i) => sum + (level(i) === 255 ? 0 : level(i) / 254), 0) / cells.length;
  const middleOf = (i) =>
    [bounds[0] + (left + (i % w) + 0.5) * px, bounds[3] - (top + Math.floor(i / w) + 0.5) * px];
  const middles = cells.map(middleOf);
  middles[0] = from; middles[middles.length - 1] = to;
  return { points: thinned(smoothed(middles, 3), px / 2), p };
}

// Means over the points so many before and after; the ends stay.
function smoothed(points, reach) {
  return points.map((point, i) => {
    const n = Math.min(reach, i, points.length - 1 - i);
    if (!n) return point;
    const near = points.slice(i - n, i + n + 1);
    return [0, 1].map((axis) => near.reduce((sum, p) => sum + p[axis], 0) / near.length);
  });
}

// Without points that lie within a tolerance of the line of the others (Douglas and Peucker 1973).
function thinned(points, tolerance) {
  const keep = new Uint8Array(points.length), parts = [[0, points.length - 1]];
  keep[0] = keep[points.length - 1] = 1;
  while (parts.length) {
    const [a, b] = parts.pop(), [ax, ay] = points[a], dx = points[b][0] - ax, dy = points[b][1] - ay;
    const long = Math.hypot(dx, dy);
    let most = tolerance, worst = -1;
    for (let i = a + 1; i < b; i++) {
      const x = points[i][0] - ax, y = points[i][1] - ay;
      const d = long ? Math.abs(x * dy - y * dx) / long : Math.hypot(x, y);
      if (d > most) { most = d; worst = i; }
    }
    if (worst > 0) { keep[worst] = 1; parts.push([a, worst], [worst, b]); }
  }
  return points.filter((_, i) => keep[i]);
}

// The edits, and what is seen of them. `map` is what map.js lends: roads, data, toScreen, toPlane, redraw, selected,
// select, next.
function repairing(map) {
  const SNAP_PX = 12, LOOKS = { add: "#00e5ff", delete: "#ff3b3b", right: "#5dff7a" };
  const { roads, data } = map, $ = (id) => document.getElementById(id);
  const edits = [];
  let start = null, isDrawing = false, isSaved = true, unpacking = null, note = "";

  // p, or null where the page has none; unpacked when it is first asked for, since it may be large.
  function probability() {
    unpacking ||= !data.probability ? Promise.resolve(null) : unpack(data.probability.levels).then((found) => {
      delete data.probability.levels;
      return { ...data.probability, levels: new Uint8Array(found) };
    });
    return unpacking;
  }

  const editOf = (i) => edits.findLast((edit) => edit.line === i);
  const points = (edit) => edit.points ||
    Array.from({ length: roads.offsets[edit.line + 1] - roads.offsets[edit.line] }, (_, j) => {
      const k = roads.offsets[edit.line] + j;
      return [roads.xs[k] / 100, roads.ys[k] / 100];
    });

  // A place of the window in metres, led to an end of a line or onto one where one is near.
  function placeAt(px, py) {
    const reach = SNAP_PX / map.k(), [x, y] = map.toPlane(px, py);
    let end = null, side = null, least = reach, closest = reach;
    const look = (ends, ax, ay, bx, by) => {
      for (const [ex, ey] of ends) {
        const d = Math.hypot(ex - x, ey - y);
        if (d < least) { least = d; end = [ex, ey]; }
      }
      const dx = bx - ax, dy = by - ay, square = dx * dx + dy * dy;
      const t = square ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
      const d = Math.hypot(ax + t * dx - x, ay + t * dy - y);
      if (d < closest) { closest = d; side = [ax + t * dx, ay + t * dy]; }
    };
    for (const i of map.near(x, y, reach)) {
      if (editOf(i)?.kind === "delete") continue;
      const [a, b] = [roads.offsets[i], roads.offsets[i + 1] - 1], at = (j) => [roads.xs[j], roads.ys[j]];
      for (let j = a; j < b; j++) look([at(a), at(b)], ...at(j), ...at(j + 1));
    }
    for (const edit of edits) {
      if (edit.kind !== "add") continue;
      const at = edit.points.map(([east, north]) => [east * 100, north * 100]);
      for (let j = 0; j + 1 < at.length; j++) look([at[0], at[at.length - 1]], ...at[j], ...at[j + 1]);
    }
    return (end || side || [x, y]).map((v) => v / 100);
  }

  function add(kind, more) {
    edits.push({ kind, ...more });
    isSaved = false;
    describe();
    map.redraw();
  }

  function draw() {
    isDrawing = !isDrawing;
    start = null;
    note = isDrawing ? "Click where the road begins." : "";
    map.select(-1);
    describe();
  }

  function click(px, py) {
    if (!isDrawing) return false;
    const place = placeAt(px, py);
    if (!start) {
      start = place;
      note = "Click where it ends.";
    } else if (Math.hypot(place[0] - start[0], place[1] - start[1]) > 0.5) {
      lead(start, place);
      start = null;
    }
    describe();
    map.redraw();
    return true;
  }

  async function lead(from, to) {
    note = "Looking for the way …";
    const raster = await probability(), way = raster && wayOfHighestP(raster, from, to);
    note = way ? `Drawn along the highest p, ${way.p.toFixed(2)} on average.` : raster
      ? "Drawn straight: p is not known there, or the places are far apart." : "Drawn straight.";
    add("add", way ? { points: way.points, confidence: Number(way.p.toFixed(4)) } : { points: [from, to] });
  }

  // Marks the chosen line, or takes the mark away, and goes on to the next one that is to be checked.
  function mark(kind) {
    const i = map.selected();
    if (i < 0) { note = "Click a line first."; describe(); return; }
    const before = edits.findIndex((edit) => edit.line === i), same = before >= 0 && edits[before].kind === kind;
    if (before >= 0) edits.splice(before, 1);
    note = "";
    if (same) { isSaved = false; describe(); map.redraw(); return; }
    add(kind, { line: i });
    map.next();
  }

  function undo() {
    if (start) start = null; else if (edits.length) { edits.pop(); isSaved = !edits.length; }
    note = isDrawing ? "Click where the road begins." : "";
    describe();
    map.redraw();
  }

  function asGeoJson() {
    const features = edits.map((edit) => ({
      type: "Feature",
      properties: { edit: edit.kind, confidence: edit.confidence ?? null },
      geometry: { type: "LineString", coordinates: points(edit).map(([x, y]) => lonLat(data.middle, x, y)) },
    }));
    return JSON.stringify({ type: "FeatureCollection", features });
  }

  function save() {
    if (!edits.length) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([asGeoJson()], { type: "application/geo+json" }));
    link.download = `${data.name.replace(/\.[^.]*$/, "")}.edits.geojson`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    isSaved = true;
    note = `georoads apply ${link.download} ${data.name} -o fixed.gpkg`;
    describe();
  }

  function describe() {
    const count = (kind) => edits.filter((edit) => edit.kind === kind).length;
    $("edits").hidden = !map.isOn();
    if (map.isOn()) probability();
    $("draw").setAttribute("aria-pressed", String(isDrawing));
    $("undo").disabled = !edits.length && !start;
    $("save").disabled = !edits.length;
    $("done").textContent = `${count("add")} drawn, ${count("delete")} deleted, ${count("right")} right`;
    $("note").textContent = note || (data.probability ? "" : "Without --probability lines are drawn straight.");
  }

  // Edits over the map: drawn lines, deleted ones dashed, right ones, and where a line begins.
  function paint(to) {
    to.lineCap = to.lineJoin = "round";
    for (const edit of edits) {
      const at = points(edit).map(([x, y]) => map.toScreen(x * 100, y * 100));
      for (const [colour, px] of [[CASING, 7], [LOOKS[edit.kind], 4]]) {
        to.strokeStyle = colour;
        to.lineWidth = px;
        to.setLineDash(edit.kind === "delete" ? [6, 8] : []);
        to.beginPath();
        at.forEach(([x, y], j) => (j ? to.lineTo(x, y) : to.moveTo(x, y)));
        to.stroke();
      }
    }
    to.setLineDash([]);
    if (start) ring(to, ...map.toScreen(start[0] * 100, start[1] * 100), LOOKS.add, 8);
  }

  addEventListener("beforeunload", (e) => { if (!isSaved) e.preventDefault(); });
  const remove = () => mark("delete"), approve = () => mark("right");
  const act = { d: draw, x: remove, Delete: remove, y: approve, u: undo, s: save };
  for (const [id, key] of [["draw", "d"], ["wrong", "x"], ["right", "y"], ["undo", "u"], ["save", "s"]]) {
    $(id).onclick = act[key];
  }

  return {
    paint, click, describe, asGeoJson,
    isDrawing: () => isDrawing,
    isDone: (i) => editOf(i) !== undefined,
    key(name) {
      if (name === "Escape" && isDrawing) { if (start) undo(); else draw(); return true; }
      if (!Object.hasOwn(act, name)) return false;
      act[name]();
      return true;
    },
  };
}
