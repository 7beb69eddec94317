// The map of map.html, over the lines of lines.js, with the pens of drawing.js and the edits of repair.js. A view is the place in the middle of
// the window, in centimetres of the plane, and k, pixels per centimetre.
(() => {
  const $ = (id) => document.getElementById(id);
  const canvas = $("map"), ctx = canvas.getContext("2d", { alpha: false });
  const data = JSON.parse($("data").textContent), picture = $("picture");
  const UNCERTAIN = 1, BRIDGED = 2, DASHED = 4, NEAR = 3; // bits of marks; and the end of a line that is near another
  const OPACITY = 0.6; // of lines as wide as the road: what lies below them shows
  const BUDGET_MS = 9; // of a frame, for drawing lines
  const PART = 4000; // points that are drawn without a look at the clock
  const MARGIN = 0.25; // of the window, drawn beyond its borders
  const CASED = 20000; // more lines in view are drawn without casing
  const NODES_FROM = 0.0075; // pixels per centimetre: about 1 : 5000
  const shown = data.classes.map(() => true);
  let repair = null; // where lines are roads
  let roads, n, xs, ys, rows, widths, classOf, ends, marks, offsets, box; // as soon as they are unpacked
  let attributes = null, view = null, drawn = null, job = null, scheduled = false;
  // What is switched on.
  const on = { imagery: !!picture, width: data.wide, nodes: !picture, check: false, repair: false };
  let ground = null, lift = data.lift; // the picture as it is shown, and how bright
  let fitted = true; // as long as nobody has moved the map
  let selected = -1, hovered = -1, width = 1, height = 1, ratio = 1;

  // Lines are drawn into a canvas larger than the window, some of them a frame, while the last such canvas is
  // shown, moved and scaled: moving stays smooth however many lines there are.
  function begin() {
    const sheet = document.createElement("canvas");
    const w = Math.ceil(width * (1 + 2 * MARGIN)), h = Math.ceil(height * (1 + 2 * MARGIN));
    sheet.width = w * ratio; sheet.height = h * ratio;
    const made = { sheet, w, h, view: { ...view }, key: key() };
    made.steps = drawing(made);
    return made;
  }

  // What the lines depend on, besides the view: not the imagery below them, nor the edits above.
  const key = () => `${shown} ${on.width} ${on.nodes} ${on.check} ${ratio} ${width} ${height}`;

  // Lines that look alike: by class, or by what there is to check.
  const groups = () => (on.check ? data.checks.lines : data.classes);
  const groupOf = (i) => !on.check ? classOf[i] : marks[i] & UNCERTAIN ? 2 : marks[i] & BRIDGED ? 1 : 0;
  const lookOf = (i) => groups()[groupOf(i)];
  const isNear = (i) => ends[2 * i] === NEAR || ends[2 * i + 1] === NEAR;
  const isShown = (i) => shown[classOf[i]] && (!on.check || groupOf(i) > 0 || isNear(i));

  function* drawing(made) {
    const { view: v, w, h } = made, to = made.sheet.getContext("2d");
    to.scale(ratio, ratio);
    const reach = roads.widest + 20 / v.k, dx = w / 2 / v.k + reach, dy = h / 2 / v.k + reach;
    const found = roads.within(v.x - dx, v.y - dy, v.x + dx, v.y + dy, shown);
    const by = groups().map(() => []);
    for (const i of found) by[groupOf(i)].push(i);
    const place = { k: v.k, ox: w / 2 - v.x * v.k, oy: h / 2 + v.y * v.k };
    yield;
    if (found.length <= CASED) {
      for (const [c, lines] of by.entries()) yield* strokes(to, lines, place, groups()[c], true);
    }
    for (const [c, lines] of by.entries()) yield* strokes(to, lines, place, groups()[c], false);
    if (on.nodes && data.nodes && v.k >= NODES_FROM) nodes(to, found, place, dotAt);
    if (on.check) nodes(to, found, place, ringAt);
  }

  function* strokes(to, lines, place, look, isCasing) {
    to.strokeStyle = isCasing ? CASING : look.colour;
    let open = 0, last = -1;
    const close = () => { if (open) to.stroke(); open = 0; };
    for (const i of lines) {
      const px = Math.round(4 * pixels(i, place.k)) / 4 + (isCasing ? 2 : 0);
      const isDashed = !isCasing && (look.dash || (marks[i] & DASHED) > 0), kind = isDashed ? -px - 2 : px;
      if (kind !== last) { close(); pen(to, px, isDashed); last = kind; }
      if (!open) to.beginPath();
      open += trace(to, i, place);
      if (open > PART) { close(); yield; }
    }
    close();
    yield;
  }

  const pixels = (i, k) => Math.max(lookOf(i).px, on.width ? widths[i] * k : 0);

  // Adds a line to the path, without the points that are within a pixel of the last one. Returns the number added.
  function trace(to, i, { k, ox, oy }) {
    const near = 1 / k, last = offsets[i + 1] - 1;
    let j = offsets[i], x = xs[j], y = ys[j], added = 1;
    to.moveTo(x * k + ox, oy - y * k);
    for (j++; j <= last; j++) {
      const dx = xs[j] - x, dy = ys[j] - y;
      if (j < last && dx < near && dx > -near && dy < near && dy > -near) continue;
      x = xs[j]; y = ys[j]; added++;
      to.lineTo(x * k + ox, oy - y * k);
    }
    return added;
  }

  const dotAt = (to, x, y, kind) => { if (kind) dot(to, x, y, NODE_COLOURS[kind]); };
  const ringAt = (to, x, y, kind) => { if (kind === NEAR) ring(to, x, y, data.checks.near.colour, 9); };
  function nodes(to, lines, { k, ox, oy }, draw) {
    to.setLineDash([]);
    for (const i of lines) {
      for (const [kind, j] of [[ends[2 * i], offsets[i]], [ends[2 * i + 1], offsets[i + 1] - 1]]) {
        draw(to, xs[j] * k + ox, oy - ys[j] * k, kind);
      }
    }
  }

  const stale = () => {
    if (!drawn || drawn.key !== key() || drawn.view.k !== view.k) return true;
    const out = Math.max(Math.abs(drawn.view.x - view.x) / width, Math.abs(drawn.view.y - view.y) / height);
    return out * view.k > MARGIN / 2;
  };

  function frame() {
    scheduled = false;
    const until = performance.now() + (drawn ? 1 : 4) * BUDGET_MS; // at first there is nothing to be moved
    if (!job && stale()) job = begin();
    while (job && performance.now() < until) {
      // Browsers put strokes off until a canvas is used: used in a corner, each part takes its time here and now.
      ctx.drawImage(job.sheet, 0, 0, 1, 1, 0, 0, 1, 1);
      if (job.steps.next().done) { drawn = job; job = null; }
    }
    paint();
    canvas.setAttribute("aria-busy", String(!!job || stale()));
    if (job || stale()) schedule();
  }

  function schedule() {
    if (scheduled || !view) return;
    scheduled = true;
    canvas.setAttribute("aria-busy", "true");
    requestAnimationFrame(frame);
  }

  function paint() {
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = BACKGROUND;
    ctx.fillRect(0, 0, width, height);
    if (on.imagery && picture.complete && picture.naturalWidth) {
      const [l, b, r, t] = data.picture.map((v) => v * 100), [x, y] = toScreen(l, t);
      ground = ground || groundOf(picture, lift);
      ctx.drawImage(ground, x, y, (r - l) * view.k, (t - b) * view.k);
    }
    const made = drawn || job;
    if (made) {
      const s = view.k / made.view.k, [x, y] = toScreen(made.view.x, made.view.y);
      const snap = (v) => Math.round(v * ratio) / ratio;
      ctx.globalAlpha = on.imagery && on.width ? OPACITY : 1;
      ctx.drawImage(made.sheet, snap(x - (made.w / 2) * s), snap(y - (made.h / 2) * s), made.w * s, made.h * s);
      ctx.globalAlpha = 1;
    }
    if (repair && on.repair) repair.paint(ctx);
    if (hovered >= 0 && hovered !== selected) highlight(hovered, 5);
    if (selected >= 0) highlight(selected, 9);
    scaleBar();
  }

  function highlight(i, halo) {
    const place = { k: view.k, ox: width / 2 - view.x * view.k, oy: height / 2 + view.y * view.k };
    const look = lookOf(i), px = pixels(i, view.k);
    const strokes = [[CASING, px + halo + 3], ["#ffffff", px + halo], [CASING, px + 2], [look.colour, px]];
    for (const [colour, wide] of strokes) {
      ctx.strokeStyle = colour;
      pen(ctx, wide, false);
      ctx.lineCap = ctx.lineJoin = "round";
      ctx.beginPath(); trace(ctx, i, place); ctx.stroke();
    }
  }

  function scaleBar() {
    const most = 110 / view.k / 100, power = 10 ** Math.floor(Math.log10(most));
    const metres = [5, 2, 1].map((f) => f * power).find((m) => m <= most * (1 + 1e-9));
    $("bar").style.width = `${(metres * 100 * view.k).toFixed(1)}px`;
    const small = metres >= 1 ? `${metres} m` : `${Math.round(metres * 100)} cm`;
    const text = metres >= 1000 ? `${metres / 1000} km` : small;
    if ($("length").textContent !== text) $("length").textContent = text;
  }

  const toScreen = (x, y) => [(x - view.x) * view.k + width / 2, height / 2 - (y - view.y) * view.k];
  const toPlane = (px, py) => [(px - width / 2) / view.k + view.x, view.y - (py - height / 2) / view.k];

  function fit() {
    const [l, b, r, t] = (data.bounds || [-500, -500, 500, 500]).map((v) => v * 100), panel = $("panel");
    const narrow = innerWidth <= 640, left = narrow ? 0 : $("tools").offsetWidth + 16,
      right = narrow ? 0 : panel.offsetWidth + 16, below = narrow ? panel.offsetHeight : 0;
    const w = Math.max(50, width - left - right - 2 * 16), h = Math.max(50, height - below - 2 * 40);
    const k = Math.min(w / Math.max(r - l, 1), h / Math.max(t - b, 1), 0.05);
    view = { k, x: (l + r) / 2 + (right - left) / 2 / k, y: (b + t) / 2 - below / 2 / k };
    fitted = true;
    schedule();
  }

  function zoom(factor, px = width / 2, py = height / 2) {
    const [x, y] = toPlane(px, py), k = Math.min(2, Math.max(1e-7, view.k * factor));
    view = { k, x: x - (px - width / 2) / k, y: y + (py - height / 2) / k };
    fitted = false;
    schedule();
  }

  function move(dx, dy) {
    view = { k: view.k, x: view.x - dx / view.k, y: view.y + dy / view.k };
    fitted = false;
    schedule();
  }

  // The line nearest to a place of the window, within some pixels of its border; -1 for none.
  function lineAt(px, py, reach) {
    const [x, y] = toPlane(px, py), most = reach / view.k + roads.widest;
    let best = -1, least = reach / view.k;
    for (const i of roads.within(x - most, y - most, x + most, y + most, shown)) {
      const half = pixels(i, view.k) / 2 / view.k, d = Math.max(0, roads.distance(i, x, y) - half);
      if (d < least || (d === least && best < 0)) { least = d; best = i; }
    }
    return best;
  }

  const element = (tag, text = "", name = "") =>
    Object.assign(document.createElement(tag), { textContent: text, className: name });

  const number = (v, digits = 0) =>
    v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  // Attributes are unpacked when they are first asked for.
  let asked = null;
  async function read() {
    attributes = JSON.parse(new TextDecoder().decode(await unpack(data.attributes)));
    describe();
  }

  function describe() {
    const i = selected >= 0 ? selected : hovered, road = $("road");
    road.replaceChildren();
    if (!n) {
      road.append(element("h2", "Nothing to show"), element("p", "This layer has no lines.", "soft"));
      return;
    }
    if (i < 0) {
      const how = "Point at a line to see them, click to keep them.";
      road.append(element("h2", "Attributes"), element("p", how, "soft"));
      return;
    }
    if (!attributes) { asked = asked || read(); return; }
    road.append(element("h2", `Line ${number(i + 1)} of ${number(n)}`));
    const list = element("dl");
    attributes.titles.forEach((title, c) => {
      const value = attributes.columns[c][rows[i]];
      list.append(element("dt", title), element("dd", value === null ? "–" : String(value)));
    });
    road.append(attributes.titles.length ? list : element("p", "The layer has no attributes.", "soft"));
  }

  function select(i) {
    selected = i;
    describe(); schedule();
  }

  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    canvas.classList.toggle("over", i >= 0);
    if (selected < 0) describe();
    schedule();
  }

  function step(by) {
    for (let tries = 0, i = selected; tries < n; tries++) {
      i = i < 0 ? (by > 0 ? 0 : n - 1) : (i + by + n) % n;
      if (!isShown(i) || (on.repair && i !== selected && repair.isDone(i))) continue;
      const x = (box[4 * i] + box[4 * i + 2]) / 2, y = (box[4 * i + 1] + box[4 * i + 3]) / 2, [px, py] = toScreen(x, y);
      if (px < 40 || py < 40 || px > width - 40 || py > height - 40) {
        view = { k: view.k, x, y };
        fitted = false;
      }
      return select(i);
    }
  }

  function legend() {
    const part = $("legend");
    if (!n) return;
    part.append(element("h2", data.subject));
    const order = [...data.classes.keys()];
    if (data.subject === "Confidence") order.reverse();
    for (const c of order) {
      const look = data.classes[c];
      const button = element("button");
      button.type = "button";
      button.title = "Show or hide";
      button.setAttribute("aria-pressed", "true");
      const km = `${number(look.km, look.km < 100 ? 2 : 1)} km`;
      button.append(lineSwatch(look.colour, look.dash), element("span", look.label), element("span", km, "km"));
      button.onclick = () => {
        shown[c] = !shown[c];
        button.setAttribute("aria-pressed", String(shown[c]));
        if (selected >= 0 && !shown[classOf[selected]]) select(-1);
        hovered = -1;
        schedule();
      };
      part.append(button);
    }
    if (marks.some((m) => m & DASHED)) legendRow(part, lineSwatch("#ffffff", true), "mostly bridged");
    if (!data.nodes) return;
    for (const [kind, text] of [[2, "roads meet"], [1, "a road ends"]]) {
      legendRow(part, swatch((to) => dot(to, 17, 7, NODE_COLOURS[kind])), text, "zoomed in", "nodes");
    }
    const { lines, near } = data.checks;
    part.append(element("h2", "What to check"));
    for (const look of [lines[2], lines[1]]) {
      legendRow(part, lineSwatch(look.colour, false), look.label, number(look.count), "check");
    }
    legendRow(part, swatch((to) => ring(to, 17, 7, near.colour, 5)), near.label, number(near.count), "check");
  }

  // A row of the legend: what is seen, in words, how much of it; a click switches what shows it.
  function legendRow(part, sign, text, amount = "", name = "") {
    const row = element(name ? "button" : "div", "", "row");
    row.append(sign, element("span", text), element("small", amount));
    if (name) {
      row.type = "button";
      row.dataset.switch = name;
      row.title = $(name).title;
      row.setAttribute("aria-pressed", String(on[name]));
      row.onclick = () => toggle(name);
    }
    part.append(row);
  }

  function pointers() {
    const down = new Map();
    let travelled = 0;
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      if (!down.size) travelled = 0;
      down.set(e.pointerId, [e.clientX, e.clientY]);
    };
    canvas.onpointermove = (e) => {
      const before = down.get(e.pointerId);
      if (!before) { if (e.pointerType === "mouse") hover(lineAt(e.clientX, e.clientY, 6)); return; }
      const other = [...down].find(([id]) => id !== e.pointerId), now = [e.clientX, e.clientY];
      travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
      down.set(e.pointerId, now);
      if (travelled > 4) canvas.classList.add("drag");
      if (!other) { if (travelled > 4) move(now[0] - before[0], now[1] - before[1]); return; }
      const [ox, oy] = other[1], mid = (p) => [(p[0] + ox) / 2, (p[1] + oy) / 2];
      const [mx, my] = mid(now), [bx, by] = mid(before);
      move(mx - bx, my - by);
      const apart = (p) => Math.max(1, Math.hypot(p[0] - ox, p[1] - oy));
      zoom(apart(now) / apart(before), mx, my);
    };
    const up = (e) => {
      if (down.delete(e.pointerId) && e.type === "pointerup" && travelled <= 4 && !down.size) {
        if (on.repair && repair.click(e.clientX, e.clientY)) return;
        select(lineAt(e.clientX, e.clientY, e.pointerType === "touch" ? 16 : 6));
      }
      if (!down.size) canvas.classList.remove("drag");
    };
    canvas.onpointerup = canvas.onpointercancel = up;
    canvas.onpointerleave = () => hover(-1);
    canvas.ondblclick = (e) => { if (!on.repair) zoom(2, e.clientX, e.clientY); };
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const lines = e.deltaMode === 1 ? 33 : e.deltaMode === 2 ? 400 : 1, pinch = e.ctrlKey ? 6 : 1;
      zoom(Math.exp(-Math.max(-300, Math.min(300, e.deltaY * lines * pinch)) * 0.0018), e.clientX, e.clientY);
    }, { passive: false });
  }

  function toggle(name) {
    if ($(name).hidden) return;
    on[name] = !on[name];
    for (const button of document.querySelectorAll(`[data-switch="${name}"]`)) {
      button.setAttribute("aria-pressed", String(on[name]));
    }
    if (name === "repair") repair.describe();
    schedule();
  }

  function brighten() {
    if (!picture) return;
    lift = lift % data.mostLift + 1;
    ground = null;
    schedule();
  }

  function keys() {
    const act = {
      ArrowLeft: () => move(80, 0), ArrowRight: () => move(-80, 0),
      ArrowUp: () => move(0, 80), ArrowDown: () => move(0, -80),
      "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": fit, Home: fit,
      n: () => step(1), p: () => step(-1), b: brighten, Escape: () => select(-1),
      i: () => toggle("imagery"), w: () => toggle("width"), o: () => toggle("nodes"), c: () => toggle("check"),
      r: () => toggle("repair"),
    };
    addEventListener("keydown", (e) => {
      if (!view || e.ctrlKey || e.metaKey || e.altKey) return;
      if (on.repair && repair.key(e.key)) { e.preventDefault(); return; }
      if (!Object.hasOwn(act, e.key)) return;
      const scrolls = e.key.startsWith("Arrow") || e.key === "Home";
      if (scrolls && $("panel").contains(document.activeElement)) return;
      e.preventDefault();
      act[e.key]();
    });
    $("in").onclick = () => zoom(1.5);
    $("out").onclick = () => zoom(1 / 1.5);
    $("fit").onclick = fit;
    $("bright").onclick = brighten;
    $("imagery").hidden = $("bright").hidden = !picture;
    $("nodes").hidden = $("check").hidden = $("repair").hidden = !data.nodes;
    for (const name of Object.keys(on)) {
      $(name).dataset.switch = name;
      $(name).setAttribute("aria-pressed", String(on[name]));
      $(name).onclick = () => toggle(name);
    }
  }

  function resize() {
    width = Math.max(1, canvas.clientWidth); height = Math.max(1, canvas.clientHeight);
    ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = width * ratio; canvas.height = height * ratio;
    if (view && fitted) fit();
    if (view) frame();
  }

  loadLines(data).then(async (found) => {
    roads = found;
    ({ n, xs, ys, rows, widths, classOf, ends, marks, offsets, box } = found);
    repair = data.nodes && n ? repairing({
      roads, data, toScreen, toPlane, select, redraw: schedule, k: () => view.k, isOn: () => on.repair,
      selected: () => selected, next: () => step(1),
      near: (x, y, reach) => roads.within(x - reach, y - reach, x + reach, y + reach, shown),
    }) : null;
    keys(); legend(); describe(); resize();
    if (picture) await picture.decode().catch(() => {});
    fit(); pointers();
    new ResizeObserver(resize).observe(canvas);
  }).catch((e) => {
    const why = element("p", `This browser may be too old: ${e}`);
    $("road").replaceChildren(element("h2", "The map cannot be drawn"), why);
  });
})();
