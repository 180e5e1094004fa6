// One chart: curves or single marks on two axes, read by pointer and by arrow keys.
// series: [{codec, points: [{x, y, ...}], line}], axes: {title, log, zero, format, invert}; tip(point) gives the tooltip's content.
function drawChart(host, { series, x, y, mini = false, tip = null, names = false, zeroLine = false }) {
  const width = host.clientWidth || 600, height = host.clientHeight || 300;
  const room = mini ? { left: 26, right: 6, top: 6, bottom: 17 } : { left: 68, right: 18, top: 12, bottom: 52 };
  const all = series.flatMap((one) => one.points);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: mini ? null : 0, "aria-label": `${y.title} against ${x.title}` });
  host.replaceChildren(svg);
  if (tip) hideTip(); // what it pointed at is gone, and a chart that is taken away gets no pointerleave
  if (!all.length) {
    svg.append(make("text", { x: width / 2, y: height / 2, "text-anchor": "middle", class: "axis" }, "nothing to show"));
    return;
  }
  const xs = all.flatMap((p) => [p.x, p.left ?? p.x, p.right ?? p.x]);
  const sx = scale(xs, room.left, width - room.right, x);
  const ys = all.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]).concat(zeroLine ? [0] : []);
  const sy = y.invert ? scale(ys, room.top, height - room.bottom, y) : scale(ys, height - room.bottom, room.top, y);
  const place = { width, height, room, sx, sy, mini };
  drawAxes(svg, place, x, y);
  if (zeroLine) svg.append(make("line", { x1: room.left, x2: width - room.right, y1: sy(0), y2: sy(0), class: "baseline" }));
  for (const one of [...series].sort((a, b) => a.codec.own - b.codec.own)) drawSeries(svg, place, one);
  if (names) drawNames(svg, place, series);
  if (tip) attachReading(svg, place, series, tip);
}

function drawAxes(svg, { width, height, room, sx, sy, mini }, x, y) {
  const bottom = height - room.bottom, right = width - room.right;
  for (const value of sy.ticks(mini ? 3 : 7)) {
    svg.append(make("line", { x1: room.left, x2: right, y1: sy(value), y2: sy(value), class: "gridline" }),
      make("text", { x: room.left - (mini ? 5 : 10), y: sy(value) + 4, "text-anchor": "end", class: "tick" }, (y.format ?? short)(value)));
  }
  for (const value of sx.ticks(mini ? 3 : Math.max(4, Math.round(width / 110)))) {
    svg.append(make("line", { x1: sx(value), x2: sx(value), y1: room.top, y2: bottom, class: "gridline" }),
      make("text", { x: sx(value), y: bottom + (mini ? 13 : 20), "text-anchor": "middle", class: "tick" }, (x.format ?? short)(value)));
  }
  svg.append(make("line", { x1: room.left, x2: right, y1: bottom, y2: bottom, class: "baseline" }));
  if (mini) return;
  svg.append(make("text", { x: (room.left + right) / 2, y: height - 8, "text-anchor": "middle", class: "axis" }, x.title),
    make("text", { transform: `translate(14 ${(room.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis" }, y.title));
}

function drawSeries(svg, { sx, sy, mini }, { codec, points, line = true }) {
  const group = make("g", { "data-codec": codec.index });
  if (line && points.length > 1) {
    const d = "M" + points.map((p) => `${sx(p.x).toFixed(1)} ${sy(p.y).toFixed(1)}`).join("L");
    group.append(make("path", { d, class: `curve${codec.own ? " own" : ""}`, stroke: codec.color, style: mini ? "stroke-width:1.8" : "" }));
  }
  for (const p of points) {
    if (known(p.low) && known(p.high))
      group.append(make("line", { x1: sx(p.x), x2: sx(p.x), y1: sy(p.low), y2: sy(p.high), stroke: codec.color, "stroke-width": 2, opacity: .5 }));
    if (known(p.left) && known(p.right))
      group.append(make("line", { x1: sx(p.left), x2: sx(p.right), y1: sy(p.y), y2: sy(p.y), stroke: codec.color, "stroke-width": 2, opacity: .5 }));
    group.append(marker(codec, sx(p.x), sy(p.y), mini ? 2.6 : line ? 5.4 : 8, mini ? { style: "stroke-width:.8" } : {}));
  }
  svg.append(group);
}

// The codecs' names beside their marks, where they cover no mark and no other name.
function drawNames(svg, { sx, sy, room, width, height }, series) {
  const taken = series.map(({ points: [p] }) => ({ left: sx(p.x) - 9, right: sx(p.x) + 9, top: sy(p.y) - 9, bottom: sy(p.y) + 9 }));
  const apart = (a, b) => a.right < b.left || a.left > b.right || a.bottom < b.top || a.top > b.bottom;
  for (const { codec, points: [p] } of series) {
    const text = make("text", { class: "name", fill: codec.color }, codec.label);
    svg.querySelector(`g[data-codec="${codec.index}"]`).append(text);
    const long = text.getComputedTextLength(), x = sx(p.x), y = sy(p.y);
    const places = [y - 12, y + 22, y - 28, y + 38].flatMap((base) => [x + 12, x - 12 - long].map((left) =>
      ({ left, right: left + long, top: base - 11, bottom: base + 3 })));
    const inside = (box) => box.left >= room.left && box.right <= width - 4 && box.top >= 0 && box.bottom <= height - room.bottom;
    const box = places.find((one) => inside(one) && taken.every((other) => apart(one, other))) ?? places[0];
    taken.push(box);
    text.setAttribute("x", box.left);
    text.setAttribute("y", box.bottom - 3);
  }
}

// Pointer: the nearest point within reach. Keys: left and right along a curve, up and down to the next one.
function attachReading(svg, place, series, tip) {
  const { sx, sy, room, height } = place;
  const overlay = make("g", { "pointer-events": "none" });
  svg.append(overlay);
  let at = null; // [series, point]
  function show(where) {
    at = where;
    const chosen = where && series[where[0]].points[where[1]];
    overlay.replaceChildren();
    for (const group of svg.querySelectorAll("g[data-codec]"))
      group.classList.toggle("faded", Boolean(chosen) && Number(group.dataset.codec) !== chosen.codec.index);
    if (!chosen) return hideTip();
    const [px, py] = [sx(chosen.x), sy(chosen.y)];
    overlay.append(make("line", { x1: px, x2: px, y1: py, y2: height - room.bottom, class: "hair" }),
      make("line", { x1: room.left, x2: px, y1: py, y2: py, class: "hair" }),
      make("circle", { cx: px, cy: py, r: 10, class: "halo", stroke: chosen.codec.color }));
    const box = svg.getBoundingClientRect();
    showTip(tip(chosen), chosen.codec, box.left + px, box.top + py);
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    let best = null, nearest = 60;
    series.forEach((one, i) => one.points.forEach((p, j) => {
      const distance = Math.hypot(sx(p.x) - (event.clientX - box.left), sy(p.y) - (event.clientY - box.top));
      if (distance < nearest) [best, nearest] = [[i, j], distance];
    }));
    show(best);
  });
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("blur", () => show(null));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Escape") return show(null);
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (!at) return show([0, 0]);
    const i = (at[0] + step[0] + series.length) % series.length, last = series[i].points.length - 1;
    show([i, Math.max(0, Math.min(last, at[1] + step[1]))]);
  });
}

function showTip(content, codec, x, y) {
  const tip = $("tip");
  tip.style.setProperty("--codec", codec.color);
  tip.replaceChildren(...content);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${x + 18 + width > innerWidth ? x - 18 - width : x + 18}px`;
  tip.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, y - height / 2))}px`;
}
function hideTip() { $("tip").hidden = true; }

const rows = (pairs) => make("table", {}, ...pairs.filter(([, value]) => value !== null).map(([name, value]) =>
  make("tr", {}, make("td", {}, name), make("td", {}, value))));
const tipTitle = (codec, rest = "") => make("b", {}, make("i"), codec.label, rest);
