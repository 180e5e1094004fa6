// Small helpers: elements, numbers, scales.
const $ = (id) => document.getElementById(id);

// An element: text never becomes markup, because names come from files.
function make(name, attributes = {}, ...children) {
  const space = MAKE_SVG.has(name) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") element.style.cssText = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
const MAKE_SVG = new Set(["svg", "path", "line", "circle", "g", "text", "rect", "tspan"]);

// A row of buttons of which one is pressed: options are [value, label].
function choice(label, options, current, pick) {
  return make("div", { class: "switch", role: "group", "aria-label": label }, ...options.map(([value, text]) =>
    make("button", { type: "button", "data-value": value, "aria-pressed": String(value === current), onclick: () => pick(value) }, text)));
}

function menu(label, options, current, pick) {
  const select = make("select", { "aria-label": label, onchange: (event) => pick(event.target.value) },
    ...options.map(([value, text]) => make("option", { value, selected: value === current }, text)));
  return make("label", { class: "pick" }, label ? `${label} ` : "", select);
}

const minus = (text) => text.replace("-", "−");
const signed = (value, digits = 1) => minus((value > 0 ? "+" : "") + value.toFixed(digits));
const plain = (value, digits) => minus(value.toFixed(digits));
const known = (value) => typeof value === "number" && Number.isFinite(value);

// Three significant digits, without exponents.
function short(value) {
  if (!known(value)) return "–";
  if (value === 0) return "0";
  return minus(String(+value.toPrecision(3)));
}
const digitsOf = (metric) => (metric.unit === "dB" ? 2 : 4);
const withUnit = (value, metric) => (known(value) ? plain(value, digitsOf(metric)) + (metric.unit ? ` ${metric.unit}` : "") : "–");

function linearTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(+(k * step).toPrecision(10));
  return ticks;
}

function logTicks(low, high, count) {
  const ladders = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9]];
  let best = [];
  for (const ladder of ladders) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const factor of ladder) {
        const value = +(factor * 10 ** power).toPrecision(6);
        if (value >= low && value <= high) ticks.push(value);
      }
    if (ticks.length > count && best.length > 1) break;
    best = ticks;
  }
  return best;
}

// Maps [low, high] to [from, to], linearly or by logarithm; `pad` is the share added on both sides.
function scale(values, from, to, { log = false, pad = 0.05, zero = false } = {}) {
  const f = log ? Math.log10 : (value) => value;
  let low = Math.min(...values), high = Math.max(...values);
  if (zero && !log) low = Math.min(0, low);
  let a = f(low), b = f(high);
  if (b - a < 1e-9) [a, b] = log ? [a - 0.15, b + 0.15] : [a - Math.max(0.5, 0.02 * Math.abs(a)), b + Math.max(0.5, 0.02 * Math.abs(a))];
  const margin = (b - a) * pad;
  if (!(zero && low === 0)) a -= margin;
  b += margin;
  const back = log ? (value) => 10 ** value : (value) => value;
  const map = (value) => from + (to - from) * (f(value) - a) / (b - a);
  map.ticks = (count) => (log ? logTicks : linearTicks)(back(a), back(b), count);
  return map;
}

const SHAPES = {
  circle: (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`,
  square: (r) => `M${-r * .88} ${-r * .88}H${r * .88}V${r * .88}H${-r * .88}Z`,
  triangle: (r) => `M0 ${-r * 1.15}L${r * 1.1} ${r * .85}H${-r * 1.1}Z`,
  diamond: (r) => `M0 ${-r * 1.25}L${r * 1.25} 0L0 ${r * 1.25}L${-r * 1.25} 0Z`,
  inverted: (r) => `M0 ${r * 1.15}L${r * 1.1} ${-r * .85}H${-r * 1.1}Z`,
  pentagon: (r) => "M" + [0, 1, 2, 3, 4].map((k) => [Math.sin(k * 1.2566) * r * 1.15, -Math.cos(k * 1.2566) * r * 1.15].join(" ")).join("L") + "Z",
};
const marker = (codec, x, y, r, extra = {}) =>
  make("path", { d: SHAPES[codec.marker](r), transform: `translate(${x} ${y})`, fill: codec.color, class: "mark", ...extra });

function swatch(codec) {
  return make("svg", { width: 26, height: 14, class: "swatch", "aria-hidden": "true" },
    make("line", { x1: 1, x2: 25, y1: 7, y2: 7, stroke: codec.color, "stroke-width": codec.own ? 3.2 : 2.2, "stroke-linecap": "round" }),
    marker(codec, 13, 7, 4.6));
}
