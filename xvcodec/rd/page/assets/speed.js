// Frames a second against BD-rate: one mark a codec, with the spread of both.
function speedPoints() {
  return CODECS.filter((codec) => !state.hidden.has(codec.name)).map((codec) => {
    const rates = DATA.points.filter((point) => point.codec === codec.name && known(point[`${state.side}_s`]) && point[`${state.side}_s`] > 0)
      .map((point) => megapixels(point) / point[`${state.side}_s`]).sort((a, b) => a - b);
    const row = bdRow(codec), summary = codec.name === state.reference ? { mean: 0, low: null, high: null } : row?.rate;
    if (!rates.length || !summary) return null;
    const mean = Math.exp(rates.reduce((sum, rate) => sum + Math.log(rate), 0) / rates.length);
    return { codec, line: false, points: [{ codec, x: mean, y: summary.mean, low: summary.low, high: summary.high, left: rates[0], right: rates.at(-1), summary }] };
  }).filter(Boolean);
}

function megapixels(point) {
  const clip = DATA.clips.find((one) => one.name === point.clip);
  return clip.width * clip.height * clip.frames / 1e6;
}

const FRAME = 640 * 360 / 1e6;

function drawSpeed() {
  const metric = metricNamed(state.metric), series = TIMED && metric ? speedPoints() : [];
  const threads = DATA.head.conditions?.threads;
  $("speed-what").textContent = series.length ? `${state.side === "encode" ? "encoding" : "decoding"}${threads ? `, ${threads === 1 ? "one thread" : `${threads} threads`}` : ""}` : "";
  $("speed-note").textContent = TIMED ? "A mark is the geometric mean over all points; horizontal bars reach from the slowest to the fastest, vertical ones are the interval of the BD-rate. "
    + "The upper right is best. Codecs without a BD-rate or without times are not shown." : "Times were not measured in this study: it ran jobs in parallel.";
  drawChart($("speed-plot"), {
    series, names: true, zeroLine: series.length > 0,
    x: { title: "megapixels per second", log: true, pad: 0.12 },
    y: { title: `BD-rate by ${metric?.title ?? ""} [%], fewer bits above`, format: (value) => signed(value, Number.isInteger(value) ? 0 : 1), pad: 0.12, invert: true },
    tip: (point) => [tipTitle(point.codec), rows([[state.side === "encode" ? "encoding" : "decoding", `${short(point.x)} Mpixel/s`],
      ["at 640x360", `${short(point.x / FRAME)} frames/s`], ["BD-rate", `${signed(point.y)} %`], ["interval", known(point.low) ? interval(point.summary, 1) : null]])],
  });
  $("speed-controls").replaceChildren(choice("direction", [["encode", "encoding"], ["decode", "decoding"]], state.side, (value) => set("side", value)));
}

onChange(["metric", "reference", "method", "side", "hidden", "size"], drawSpeed);
