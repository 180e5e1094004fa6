// The large chart, its legend, and one small chart a clip.
function seriesFor(clip) {
  const metric = metricNamed(state.metric);
  return CODECS.filter((codec) => !state.hidden.has(codec.name)).map((codec) => ({
    codec, points: pointsOf(codec, clip, metric).filter((point) => known(point[state.rate]) && point[state.rate] > 0)
      .map((point) => ({ ...point, x: point[state.rate], y: shown(point.value, metric) })),
  })).filter((one) => one.points.length);
}

const RATES = { bpp: "bits per pixel", kbps: "kilobits per second" };

function drawCurves() {
  const metric = metricNamed(state.metric);
  if (!metric) return drawChart($("plot"), { series: [], x: { title: "" }, y: { title: "" } });
  const count = DATA.shared[metric.name].length;
  $("curves-what").textContent = state.clip ? state.clip : count === 1 ? "one clip" : `mean of ${count} clips`;
  drawChart($("plot"), {
    series: seriesFor(state.clip), tip: curveTip,
    x: { title: RATES[state.rate], log: state.x === "log", zero: true }, y: { title: axisOf(metric), invert: metric.better === "lower" },
  });
}

function curveTip(point) {
  const metric = metricNamed(state.metric);
  const frames = state.clip ? DATA.clips.find((clip) => clip.name === state.clip).frames : null;
  const speed = (seconds) => (TIMED && frames && known(seconds) && seconds > 0 ? `${short(frames / seconds)} frames/s` : null);
  const reference = codecNamed(state.reference);
  const base = reference && reference !== point.codec ? rateAt(pointsOf(reference, state.clip, metric), point.value) : null;
  return [tipTitle(point.codec, known(point.crf) ? `, crf ${short(point.crf)}` : ""),
    rows([["rate", `${plain(point.bpp, 4)} bpp`], ["", `${short(point.kbps)} kbit/s`], [metric.title, withUnit(point.value, metric)],
      ["encoding", speed(point.encode_s)], ["decoding", speed(point.decode_s)]]),
    base ? make("p", {}, `${signed(100 * (point.bpp / base - 1), 0)} % bits against ${reference.label} at this quality`) : null].filter(Boolean);
}

function drawLegend() {
  $("legend").replaceChildren(...CODECS.map((codec) => make("button", {
    type: "button", "aria-pressed": String(!state.hidden.has(codec.name)), title: codec.name,
    onclick: () => {
      state.hidden.has(codec.name) ? state.hidden.delete(codec.name) : state.hidden.add(codec.name);
      announce("hidden");
      $("legend").children[codec.index].focus();
    },
  }, swatch(codec), codec.label)));
}

function drawMultiples() {
  const metric = metricNamed(state.metric);
  if (!metric || DATA.clips.length < 2) return;
  const hosts = ["", ...DATA.clips.map((clip) => clip.name)].map((clip) => {
    const plot = make("div", { class: "plot" });
    return [clip, plot, make("button", { type: "button", "aria-pressed": String(state.clip === clip), onclick: () => set("clip", clip) },
      make("b", {}, clip || "mean"), plot)];
  });
  $("multiples").replaceChildren(...hosts.map(([, , button]) => button));
  for (const [clip, plot] of hosts)
    drawChart(plot, { series: seriesFor(clip), mini: true, x: { title: "rate", log: state.x === "log", zero: true },
      y: { title: clip || "mean", invert: metric.better === "lower" } });
}

function drawCurveControls() {
  const metric = metricNamed(state.metric);
  $("curves-controls").replaceChildren(...[
    menu("", [["", "mean of clips"], ...DATA.clips.map((clip) => [clip.name, clip.name])], state.clip, (value) => set("clip", value)),
    metric && spreads(metric) ? choice("quality axis", [["off", metric.title], ["on", "dB"]], state.db, (value) => set("db", value)) : null,
    choice("rate unit", [["bpp", "bpp"], ["kbps", "kbit/s"]], state.rate, (value) => set("rate", value)),
    choice("rate axis", [["log", "log"], ["linear", "linear"]], state.x, (value) => set("x", value))].filter(Boolean));
}

onChange(["metric", "clip", "x", "rate", "db", "hidden", "reference", "size"], drawCurves);
onChange(["metric", "clip", "x", "rate", "db", "hidden", "size"], drawMultiples);
onChange(["hidden"], drawLegend);
onChange(["metric", "clip", "x", "rate", "db"], drawCurveControls);
