// BD figures: the cards at the top, and the table with intervals, overlaps and reasons.
const isGood = (value, metric) => (state.figure === "rate" ? value < 0 : metric.better === "higher" ? value > 0 : value < 0);
const figureUnit = (metric) => (state.figure === "rate" ? "%" : metric.unit);
const figureDigits = (metric) => (state.figure === "rate" ? 1 : metric.unit === "dB" ? 2 : 4);
const interval = (summary, digits) => (known(summary.low) ? `${signed(summary.low, digits)} … ${signed(summary.high, digits)}` : null);
const reasonsOf = (row) => [...new Set(Object.values(row.clips).map((clip) => clip[state.figure === "rate" ? "why" : "why_quality"]).filter(Boolean))];
function reasonOf(row) {
  const clips = Object.values(row.clips), having = clips.filter((clip) => known(clip[state.figure])).length;
  return having ? `only ${having} of ${DATA.clips.length} clips have a figure` : reasonsOf(row)[0] ?? "no clip has both curves";
}
const lacking = (row) => Object.entries(row.clips).filter(([, clip]) => !known(clip[state.figure]))
  .map(([name, clip]) => `${name}: ${clip[state.figure === "rate" ? "why" : "why_quality"]}`);
const overlapOf = (clip) => (state.figure === "rate" ? clip.overlap : clip.overlap_rate);

function drawCards() {
  const metric = metricNamed(state.metric), reference = codecNamed(state.reference);
  $("cards").replaceChildren(...(metric ? CODECS.map((codec) => {
    const row = bdRow(codec), parts = [make("h3", {}, codec.label)];
    if (codec === reference) parts.push(make("div", { class: "figure none" }, "reference"), make("p", {}, "the others are measured against it"));
    else if (row?.rate) {
      parts.push(make("div", { class: "figure" }, signed(row.rate.mean), make("small", {}, "% bits")),
        make("p", {}, [interval(row.rate, 1), `${row.rate.clips} of ${DATA.clips.length} clips`].filter(Boolean).join(", ")));
    } else parts.push(make("div", { class: "figure none" }, "no figure"), make("p", {}, row ? reasonOf(row) : "no points"));
    return make("div", { class: "card", style: `--codec:${codec.color}` }, ...parts);
  }) : []));
  $("cards-note").textContent = metric && reference ? `BD-rate by ${metric.title} against ${reference.label}: the mean over clips of how many more (+) or fewer (−) bits `
    + `the same quality takes, with its ${100 * DATA.rules.level} % bootstrap interval over clips.` : "";
}

function drawTable() {
  const metric = metricNamed(state.metric), reference = codecNamed(state.reference);
  if (!metric || !reference) return $("table").replaceChildren(make("p", { class: "small" }, "No figures."));
  const found = CODECS.filter((codec) => codec !== reference).map((codec) => [codec, bdRow(codec)]).filter(([, row]) => row);
  const clips = DATA.clips.map((clip) => clip.name).filter((clip) => found.some(([, row]) => clip in row.clips));
  const summaries = found.map(([, row]) => row[state.figure]).filter(Boolean);
  const values = found.flatMap(([, row]) => Object.values(row.clips).map((clip) => clip[state.figure])).filter(known);
  const ends = [0, ...summaries.flatMap((one) => [one.low ?? one.mean, one.high ?? one.mean]), ...values];
  const sx = scale(ends, 1, 99, { pad: 0.04 });
  $("savings-title").textContent = state.figure === "rate" ? "Bits at equal quality" : "Quality at equal bits";
  $("savings-what").textContent = `${state.figure === "rate" ? "BD-rate" : "BD-quality"} by ${metric.title} against ${reference.label}`;
  $("table").replaceChildren(make("table", { class: `bd${clips.length > 8 ? " many" : ""}` },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "codec"), make("th", { scope: "col", class: "mean" }, ""),
      make("th", { scope: "col", class: "forest" }, state.figure === "rate" ? "← fewer bits · more bits →" : metric.better === "higher" ? "← worse · better →" : "← better · worse →"),
      ...clips.map((clip) => make("th", { scope: "col", class: "clip", title: clip }, clip)))),
    make("tbody", {}, ...found.map(([codec, row]) => make("tr", {},
      make("th", { scope: "row" }, swatch(codec), codec.label), meanCell(row, metric), make("td", { class: "forest" }, forest(codec, row, sx)),
      ...clips.map((clip) => make("td", {}, clipCell(clip, row.clips[clip], metric))))))));
  const why = [...found.filter(([, row]) => !row[state.figure]).map(([codec, row]) => `${codec.label} has no mean: ${reasonOf(row)}.`),
    ...found.filter(([, row]) => row[state.figure]).flatMap(([codec, row]) => lacking(row).map((text) => `${codec.label} has no figure for ${text}.`))];
  $("savings-note").textContent = [`Bars below the figures show how far the curves overlap; amber is below ${100 * DATA.rules.good_overlap} %, and below `
    + `${(100 * DATA.rules.min_overlap).toFixed(0)} % no figure is given.`, ...why].join(" ");
}

function meanCell(row, metric) {
  const summary = row[state.figure], digits = figureDigits(metric);
  if (!summary) return make("td", { class: "mean" }, "–", make("small", {}, "no figure"));
  return make("td", { class: "mean" }, `${signed(summary.mean, digits)} ${figureUnit(metric)}`,
    make("small", {}, interval(summary, digits) ?? "no interval"), make("small", {}, `${summary.clips} of ${DATA.clips.length} clips`));
}

// The interval as a bar, the mean as a mark, each clip as a tick; across in percent of the cell.
function forest(codec, row, sx) {
  const svg = make("svg", { "aria-hidden": "true" }), summary = row[state.figure], at = (value) => `${sx(value)}%`;
  svg.append(make("line", { x1: at(0), x2: at(0), y1: 0, y2: 44, class: "baseline" }));
  for (const clip of Object.values(row.clips)) if (known(clip[state.figure]))
    svg.append(make("line", { x1: at(clip[state.figure]), x2: at(clip[state.figure]), y1: 30, y2: 38, stroke: codec.color, "stroke-width": 1.5, opacity: .7 }));
  if (!summary) return svg;
  if (known(summary.low)) svg.append(make("rect", { x: at(summary.low), width: `${Math.max(0.5, sx(summary.high) - sx(summary.low))}%`, y: 15, height: 7, rx: 3.5, fill: codec.color, opacity: .35 }));
  svg.append(make("svg", { x: at(summary.mean), y: 18.5, class: "loose" }, marker(codec, 0, 0, 6.5)));
  return svg;
}

function clipCell(name, clip, metric) {
  if (!clip) return make("span", { class: "cell none", title: `${name}: no points of both codecs` }, "–");
  const value = clip[state.figure], percent = Math.round(100 * overlapOf(clip));
  if (!known(value)) {
    const why = clip[state.figure === "rate" ? "why" : "why_quality"];
    return make("span", { class: "cell none", title: `${name}: ${why}`, "aria-label": `no figure: ${why}`, style: `--overlap:${percent}%` }, "–", make("i"));
  }
  const strength = Math.min(1, Math.abs(value) / (state.figure === "rate" ? 60 : metric.unit === "dB" ? 2 : 0.02));
  const tint = `rgba(var(--${isGood(value, metric) ? "good" : "bad"}), ${(0.05 + 0.3 * strength).toFixed(3)})`;
  return make("span", { class: `cell${percent < 100 * DATA.rules.good_overlap ? " low" : ""}`, style: `background:${tint};--overlap:${percent}%`,
    title: `${name}: ${signed(value, figureDigits(metric))} ${figureUnit(metric)}, the curves overlap by ${percent} %` }, signed(value, Math.abs(value) >= 100 ? 0 : figureDigits(metric)), make("i"));
}

function drawTableControls() {
  $("savings-controls").replaceChildren(
    choice("figure", [["rate", "BD-rate"], ["quality", "BD-quality"]], state.figure, (value) => set("figure", value)),
    choice("interpolation", [["akima", "Akima"], ["pchip", "PCHIP"]], state.method, (value) => set("method", value)));
}

onChange(["metric", "reference", "method"], drawCards);
onChange(["metric", "reference", "method", "figure"], drawTable);
onChange(["figure", "method"], drawTableControls);
