// Everything that is not a figure, and the first drawing.
function drawTheme() {
  document.documentElement.dataset.theme = state.theme;
}

function colours() {
  const rules = (theme) => CODECS.map((codec) => `--codec-${codec.index}:${codec[theme]}`).join(";");
  document.head.append(make("style", {}, `:root{${rules("light")}}:root[data-theme="dark"]{${rules("dark")}}`));
}

function drawGlobals() {
  $("globals").replaceChildren(
    METRICS.length > 4 ? menu("metric", METRICS.map((metric) => [metric.name, metric.title]), state.metric, (value) => set("metric", value))
      : choice("metric", METRICS.map((metric) => [metric.name, metric.title]), state.metric, (value) => set("metric", value)),
    menu("against", CODECS.map((codec) => [codec.name, codec.label]), state.reference, (value) => set("reference", value)),
    make("button", { class: "plain", type: "button", "aria-label": "light or dark", onclick: () => next("theme") }, state.theme === "dark" ? "☀" : "☾"),
    make("button", { class: "plain", type: "button", "aria-label": "keys", onclick: () => $("help").showModal() }, "?"));
}

const count = (number, word) => `${number === 1 ? "one" : number} ${word}${number === 1 ? "" : "s"}`;

function drawFacts() {
  const { conditions = {}, created, xvc } = DATA.head, frames = [...new Set(DATA.clips.map((clip) => clip.frames))];
  const machine = conditions.machine ?? {};
  $("facts").textContent = [count(DATA.clips.length, "clip"), count(CODECS.length, "codec"), `${DATA.points.length} coded files`,
    frames.length === 1 ? `${count(frames[0], "frame")} each` : null, known(conditions.key_interval) ? `key frames at most ${conditions.key_interval} apart` : null,
    TIMED && conditions.threads ? count(conditions.threads, "thread") : null, machine.cpu, xvc ? `xvc ${xvc}` : null, created?.slice(0, 10)].filter(Boolean).join("  ·  ");
}

function drawAbout() {
  const { rules, head } = DATA, machine = head.conditions?.machine ?? {};
  const part = (title, ...content) => make("div", {}, make("h3", {}, title), ...content);
  const list = (items) => make("ul", {}, ...items.map((item) => make("li", {}, item)));
  $("about-text").append(...[
    part("What is compared", make("p", {}, "Every codec gets the same decoded frames and the same key-frame interval. Rate counts every byte of the coded file, "
      + "without sound. Pictures in the viewer are lossy WebP of high quality: they show what a codec does, and are not what was measured.")),
    part("BD figures", make("p", {}, `Bjøntegaard deltas with ${state.method === "akima" ? "Akima" : "PCHIP"} interpolation over log rate, switchable above, computed a clip at a time. A curve needs `
      + `${rules.min_points} points that gain quality with rate. Overlap is the range that both curves cover over the range that either covers; below ${(100 * rules.min_overlap).toFixed(0)} % no figure is given, `
      + `below ${100 * rules.good_overlap} % it is marked. Means over clips come with a ${100 * rules.level} % percentile bootstrap over clips (${rules.resamples.toLocaleString("en")} draws, seed ${rules.seed}); `
      + "fewer than three clips have no interval, and where fewer than half of the clips have a figure there is no mean.")),
    part("Metrics", list(DATA.metrics.map((metric) => `${metric.title}: ${metric.definition}`))),
    DATA.absences.length ? part("Metrics that did not run", list(DATA.absences)) : null,
    part("Codecs", list(CODECS.map((codec) => `${codec.label}: ${codec.name}${codec.version ? `, version ${codec.version}` : ""}`))),
    part("How to repeat it", make("p", {}, make("code", {}, head.command ?? "")), make("p", {}, Object.entries(machine).map(([key, value]) => `${key} ${value}`).join(", "))),
  ].filter(Boolean));
  $("viewer-note").textContent = DATA.unseen.join(" ");
  $("notes").textContent = DATA.notes.join(" ");
}

onChange(["theme"], drawTheme);
onChange(["metric", "reference", "theme"], drawGlobals);
if (GALLERIES.length) {
  onChange(["metric"], drawSlots);
  onChange(["size"], drawStage);
}

colours();
drawTheme();
drawFacts();
buildViewer();
drawAbout();
for (const { draw } of listeners) draw();
attachKeys();
for (const link of document.querySelectorAll("[data-jump]"))
  link.addEventListener("click", (event) => { event.preventDefault(); $(link.dataset.jump).scrollIntoView(); });
let settled = 0;
const size = () => `${$("plot").clientWidth} ${$("plot").clientHeight}`;
let drawn = size(); // an observer's first call tells the size that was drawn
new ResizeObserver(() => {
  clearTimeout(settled);
  if (size() !== drawn) settled = setTimeout(() => { drawn = size(); announce("size"); }, 60);
}).observe($("plot"));
