// The study, what is chosen, and who wants to know.
const DATA = JSON.parse($("data").textContent);
const CODECS = DATA.codecs.map((codec, index) => ({ ...codec, index, color: `var(--codec-${index})` }));
const codecNamed = (name) => CODECS.find((codec) => codec.name === name);
const metricNamed = (name) => DATA.metrics.find((metric) => metric.name === name);
const METRICS = DATA.metrics.filter((metric) => DATA.points.some((point) => known(point.metrics[metric.name])));
const TIMED = Boolean(DATA.head.conditions?.timed);

const state = {
  metric: METRICS[0]?.name ?? "", clip: "", x: "log", rate: "bpp", db: "off", reference: DATA.rules.reference ?? "", method: DATA.rules.method,
  figure: "rate", side: "encode", theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light", hidden: new Set(),
};
// What the address may set, and to what: anything else in it is ignored.
const ALLOWED = {
  metric: METRICS.map((metric) => metric.name), clip: ["", ...DATA.clips.map((clip) => clip.name)], x: ["log", "linear"], rate: ["bpp", "kbps"],
  db: ["off", "on"], reference: CODECS.map((codec) => codec.name), method: ["akima", "pchip"], figure: ["rate", "quality"], side: ["encode", "decode"],
  theme: ["light", "dark"],
};
const CHANGED = new Set(); // keys that a person has set; only they go into the address
const listeners = [];
const onChange = (keys, draw) => listeners.push({ keys, draw });

function set(key, value) {
  state[key] = value;
  CHANGED.add(key);
  const words = new URLSearchParams([...CHANGED].filter((name) => name in ALLOWED).map((name) => [name, state[name]]));
  try { history.replaceState(null, "", `#${words}`); } catch { /* some viewers of local files forbid it */ }
  announce(key);
}

function announce(key) {
  for (const { keys, draw } of listeners) if (keys.includes(key)) draw();
}

for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
  if (Object.hasOwn(ALLOWED, key) && ALLOWED[key].includes(value)) { state[key] = value; CHANGED.add(key); }

function next(key, step = 1) {
  const values = ALLOWED[key];
  if (values.length) set(key, values[(values.indexOf(state[key]) + step + values.length) % values.length]);
}

// SSIM and its kin bunch together near one; -10 log10(1 - x) spreads them.
const spreads = (metric) => /ssim$/.test(metric.name) && metric.better === "higher";
const shown = (value, metric) => (state.db === "on" && spreads(metric) ? -10 * Math.log10(Math.max(1e-9, 1 - value)) : value);
const axisOf = (metric) => {
  if (state.db === "on" && spreads(metric)) return `${metric.title} [dB, −10 log₁₀(1 − x)]`;
  return metric.title + (metric.unit ? ` [${metric.unit}]` : "") + (metric.better === "lower" ? ", lower is better" : "");
};

// Points of one codec for the curves: of a clip, or means over clips where `clip` is empty.
function pointsOf(codec, clip, metric) {
  if (!clip) return (DATA.means[metric.name]?.[codec.name] ?? []).map((point) => ({ ...point, codec }));
  return DATA.points.filter((point) => point.codec === codec.name && point.clip === clip && known(point.metrics[metric.name]))
    .map((point) => ({ ...point, codec, value: point.metrics[metric.name] }));
}
const bdRow = (codec, metric = state.metric) => DATA.bd.find((row) =>
  row.codec === codec.name && row.metric === metric && row.reference === state.reference && row.method === state.method);

// Rate of a curve at a quality, by straight lines over log rate; null outside of it.
function rateAt(points, value) {
  for (let k = 1; k < points.length; k++) {
    const [a, b] = [points[k - 1], points[k]], t = (value - a.value) / (b.value - a.value);
    if (t >= 0 && t <= 1) return Math.exp(Math.log(a.bpp) * (1 - t) + Math.log(b.bpp) * t);
  }
  return null;
}
