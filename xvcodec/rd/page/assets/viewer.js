// The viewer: source, A and B, to be flipped, wiped, set side by side or subtracted.
const SLOTS = ["source", "a", "b"];
const MODES = [["flip", "Flip"], ["wipe", "Wipe"], ["split", "Side by side"], ["difference", "Difference"]];
const view = { gallery: 0, level: 0, frame: 0, a: "", b: "", mode: "flip", shown: "a", last: "b", pair: ["a", "b"], wipe: 0.5, zoom: 1, x: 0, y: 0, timer: 0 };
const parts = {}; // elements of the viewer that change

const gallery = () => GALLERIES[view.gallery];
const level = () => gallery().levels[view.level];
const codecOf = (slot) => (slot === "source" ? null : codecNamed(view[slot]));
const slots = () => SLOTS.filter((slot) => (slot === "source" ? gallery().source : view[slot]));
const slotName = (slot) => codecOf(slot)?.label ?? "source";
const slotColor = (slot) => codecOf(slot)?.color ?? "var(--ink)";
const urlOf = (slot, frame = view.frame) =>
  urlsOf(view.gallery).get(slot === "source" ? `source/${frame}` : `${view.level}/${frame}/${view[slot]}`);

// A and B stay what they were where the level has them; else xvc's first and the reference.
function settle() {
  view.level = Math.min(view.level, gallery().levels.length - 1);
  view.frame = Math.min(view.frame, gallery().numbers.length - 1);
  const names = CODECS.map((codec) => codec.name).filter((name) => name in level().points);
  const others = (taken) => names.find((name) => name !== taken) ?? "";
  if (!names.includes(view.a)) view.a = CODECS.find((codec) => codec.own && names.includes(codec.name))?.name ?? names[0] ?? "";
  if (!names.includes(view.b) || view.b === view.a)
    view.b = names.includes(state.reference) && state.reference !== view.a ? state.reference : others(view.a);
  const there = slots();
  for (const key of ["shown", "last"]) if (!there.includes(view[key])) view[key] = there[0];
  if (!view.pair.every((slot) => there.includes(slot))) view.pair = there.slice(-2);
}

function show(changes) {
  if ("shown" in changes && changes.shown !== view.shown) view.last = view.shown;
  Object.assign(view, changes);
  settle();
  drawStrip();
  drawStage();
  drawSlots();
  const nearby = [view.frame, view.frame + 1, view.frame - 1];
  preload(nearby.flatMap((frame) => slots().map((slot) => urlOf(slot, frame))));
}

function buildViewer() {
  if (!GALLERIES.length) {
    $("viewer-panel").append(make("p", { class: "small", style: "padding:16px 20px;margin:0" }, "This page holds no pictures: no coded file was kept, or none could be decoded."));
    return;
  }
  parts.strip = make("div", { class: "strip" });
  parts.group = make("div", { class: "group" });
  parts.over = make("div", { class: "overlay" });
  parts.stage = make("div", { class: "stage", tabindex: 0, "aria-label": "Pictures; press ? for the keys" }, parts.group, parts.over);
  parts.slots = make("div", { class: "slots" });
  parts.panes = Object.fromEntries(SLOTS.map((slot) => [slot, make("div", { class: "pane" }, make("img", { alt: slot, draggable: "false" }))]));
  parts.group.append(...Object.values(parts.panes));
  $("viewer-panel").append(parts.strip, parts.stage, parts.slots);
  attachPointer();
  show({});
}

function drawStrip() {
  const rates = gallery().levels.map((one, index) => [index, `≈ ${plain(middleRate(one), 3)} bpp`]);
  const pairs = [["source", "a"], ["source", "b"], ["a", "b"]].filter((pair) => pair.every((slot) => slots().includes(slot)));
  const name = { source: "source", a: "A", b: "B" };
  const last = gallery().numbers.length - 1;
  const slider = make("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "frame", oninput: (event) => show({ frame: Number(event.target.value) }) });
  slider.value = view.frame;
  if (!parts.slider) parts.slider = make("label", { class: "range" });
  parts.slider.replaceChildren(`frame ${gallery().numbers[view.frame] + 1}`, slider);
  const focused = parts.strip.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent : null;
  parts.strip.replaceChildren(...[
    menu("", GALLERIES.map((one, index) => [index, one.clip]), view.gallery, (index) => show({ gallery: Number(index) })),
    rates.length > 1 ? choice("rate", rates, view.level, (index) => show({ level: index })) : make("span", { class: "pick" }, rates[0][1]),
    choice("mode", MODES, view.mode, (mode) => show({ mode })),
    ["wipe", "difference"].includes(view.mode) && pairs.length > 1
      ? choice("pair", pairs.map((pair) => [pair.join(), pair.map((slot) => name[slot]).join(" | ")]), view.pair.join(), (pair) => show({ pair: pair.split(",") })) : null,
    view.mode === "flip" ? make("button", { class: "plain", type: "button", "aria-pressed": String(Boolean(view.timer)), onclick: toggleAuto }, view.timer ? "Stop" : "Auto flip") : null,
    parts.slider,
    make("button", { class: "plain", type: "button", "aria-label": "zoom", title: "zoom", onclick: cycleZoom }, `${view.zoom}×`),
    make("button", { class: "plain", type: "button", "aria-label": "full screen", title: "full screen", onclick: fullscreen }, corners())].filter(Boolean));
  if (focused) [...parts.strip.querySelectorAll("button, select, input")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === focused)?.focus();
}

const corners = () => make("svg", { width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true", style: "display:block" },
  make("path", { d: "M1 5V1H5M9 1H13V5M13 9V13H9M5 13H1V9", fill: "none", stroke: "currentColor", "stroke-width": 1.6 }));

const middleRate = (one) => {
  const rates = Object.values(one.points).map((point) => point.bpp);
  return Math.exp(rates.reduce((sum, rate) => sum + Math.log(rate), 0) / rates.length);
};

function drawStage() {
  const there = slots(), flip = view.mode === "flip", visible = flip ? [view.shown] : view.mode === "split" ? there : view.pair;
  parts.stage.className = `stage ${view.mode}${view.zoom > 1 ? " can-drag" : ""}`;
  const clip = DATA.clips.find((one) => one.name === gallery().clip), stacked = isStacked(), across = view.mode === "split" && !stacked ? there.length : 1;
  const height = Math.round(parts.stage.clientWidth * clip.height / (clip.width * across));
  parts.stage.style.height = stacked ? `${height * there.length}px` : `min(max(320px, 100vh - 305px), ${height}px)`;
  parts.stage.dataset.shown = visible.join(" ");
  for (const slot of SLOTS) {
    const pane = parts.panes[slot], image = pane.firstChild, index = visible.indexOf(slot);
    const url = there.includes(slot) ? urlOf(slot) : null;
    if (url && image.getAttribute("src") !== url) image.src = url;
    image.alt = `${slotName(slot)}, frame ${gallery().numbers[view.frame] + 1} of ${gallery().clip}`;
    pane.style.visibility = index < 0 ? "hidden" : "visible";
    const start = view.mode === "split" ? `${100 * index / visible.length}%` : "0";
    const size = view.mode === "split" ? `calc(${100 / visible.length}% - ${index < visible.length - 1 ? 2 : 0}px)` : "100%";
    Object.assign(pane.style, stacked ? { left: "0", width: "100%", top: start, height: size } : { left: start, width: size, top: "0", height: "100%" });
    pane.style.zIndex = index === 0 && view.mode === "wipe" ? 2 : 1;
    pane.style.clipPath = view.mode === "wipe" && index === 0 ? `inset(0 ${100 * (1 - view.wipe)}% 0 0)` : "none";
    pane.classList.toggle("over", view.mode === "difference" && slot === visible[1]);
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    image.classList.toggle("sharp", view.zoom >= 4);
  }
  parts.over.replaceChildren(...badges(visible));
}

// Side by side is one below the other where the window is narrow.
const isStacked = () => view.mode === "split" && parts.stage.clientWidth < 640;

function badges(visible) {
  const badge = (slot, place, extra = "") => make("div", { class: "badge", style: `--codec:${slot === "source" ? "#fff" : slotColor(slot)};${place}` },
    slotName(slot), make("small", {}, slot === "source" ? "" : `${plain(level().points[view[slot]].bpp, 4)} bpp`, extra));
  if (view.mode === "difference")
    return [make("div", { class: "badge", style: "left:14px" }, `${slotName(visible[0])} − ${slotName(visible[1])}`, make("small", {}, "absolute difference, six times brighter"))];
  if (view.mode === "wipe")
    return [badge(visible[0], "left:14px"), badge(visible[1], "right:14px"), make("div", { class: "divider", style: `left:${100 * view.wipe}%` })];
  return visible.map((slot, index) => badge(slot, isStacked() ? `left:14px;top:calc(${100 * index / visible.length}% + 10px)`
    : `left:calc(${100 * index / visible.length}% + 14px)`));
}

// Below the pictures: which codec, at what rate, how good on the clip and on this frame.
function drawSlots() {
  const metric = metricNamed(state.metric), base = level().points[view.a];
  parts.slots.replaceChildren(...SLOTS.filter((slot) => slots().includes(slot)).map((slot) => {
    const point = slot === "source" ? null : level().points[view[slot]], key = make("kbd", {}, String(SLOTS.indexOf(slot) + 1));
    const card = make("div", { class: `slot${(view.mode === "flip" ? [view.shown] : view.mode === "split" ? slots() : view.pair).includes(slot) ? " on" : ""}`,
      style: `--codec:${slotColor(slot)}`, "data-slot": slot, onclick: (event) => { if (!event.target.closest("select")) show({ mode: view.mode === "flip" ? "flip" : view.mode, shown: slot }); } });
    if (!point) {
      const clip = DATA.clips.find((one) => one.name === gallery().clip);
      card.append(make("strong", {}, key, "Source"), make("div", {}, make("span", { class: "big" }, `${clip.width}×${clip.height}`), `frame ${gallery().numbers[view.frame] + 1} of ${clip.frames}`));
      return card;
    }
    const names = CODECS.filter((codec) => codec.name in level().points).map((codec) => [codec.name, codec.label]);
    const frame = point.frames[state.metric]?.[view.frame], against = slot === "b" && base ? `, ${signed(100 * (point.bpp / base.bpp - 1), 0)} % against A` : "";
    card.append(make("strong", {}, key, slot.toUpperCase(), menu("", names, view[slot], (name) => show(swap(slot, name)))),
      make("div", {}, make("span", { class: "big" }, `${plain(point.bpp, 4)} bpp`), `${known(point.crf) ? `crf ${short(point.crf)}` : ""}${against}`),
      metric ? make("div", {}, `${metric.title}: `, make("b", { style: "color:var(--ink)" }, withUnit(point.metrics[metric.name], metric)), " over the clip",
        known(frame) ? `, ${withUnit(frame, metric)} in this frame` : "") : "");
    return card;
  }));
  drawRates();
}

// How equal the rates of A and B are, in plain words.
function drawRates() {
  const [a, b] = [level().points[view.a], level().points[view.b]];
  const percent = a && b ? 100 * (Math.max(a.bpp, b.bpp) / Math.min(a.bpp, b.bpp) - 1) : 0;
  $("viewer-what").classList.toggle("caution", percent > UNEQUAL);
  $("viewer-what").textContent = !b ? "one codec" : percent > UNEQUAL
    ? `mind the rates: ${a.bpp > b.bpp ? "A" : "B"} takes ${percent.toFixed(0)} % more bits; no closer points were coded`
    : percent < 1 ? "A and B at equal rate" : `A and B at nearly equal rate, within ${percent.toFixed(0)} %`;
}
const UNEQUAL = 20; // percent

const swap = (slot, name) => (view[slot === "a" ? "b" : "a"] === name ? { a: view.b, b: view.a } : { [slot]: name });
