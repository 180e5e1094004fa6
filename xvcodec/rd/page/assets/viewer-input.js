// The viewer's pointer and keys.
function attachPointer() {
  let drag = null;
  const at = (event) => { const box = parts.stage.getBoundingClientRect(); return [(event.clientX - box.left) / box.width, event.clientX, event.clientY]; };
  parts.stage.addEventListener("pointerdown", (event) => {
    const [share, x, y] = at(event);
    const wiping = view.mode === "wipe" && (view.zoom === 1 || Math.abs(share - view.wipe) < 0.04);
    drag = { wiping, x: x - view.x, y: y - view.y, moved: false };
    parts.stage.setPointerCapture(event.pointerId);
    if (wiping) show({ wipe: share });
  });
  parts.stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [share, x, y] = at(event);
    drag.moved = true;
    if (drag.wiping) Object.assign(view, { wipe: Math.max(0, Math.min(1, share)) });
    else if (view.zoom > 1) Object.assign(view, { x: x - drag.x, y: y - drag.y });
    drawStage();
  });
  for (const end of ["pointerup", "pointercancel"]) parts.stage.addEventListener(end, () => { drag = null; });
  parts.stage.addEventListener("click", () => { if (view.mode === "flip" && view.zoom === 1) flip(); });
  parts.stage.addEventListener("wheel", (event) => {
    if (!document.fullscreenElement && !event.ctrlKey) return;
    event.preventDefault();
    zoomTo(event.deltaY < 0 ? Math.min(8, view.zoom * 2) : Math.max(1, view.zoom / 2));
  }, { passive: false });
}

const zoomTo = (zoom) => show(zoom === 1 ? { zoom, x: 0, y: 0 } : { zoom, x: view.x * zoom / view.zoom, y: view.y * zoom / view.zoom });
const cycleZoom = () => zoomTo(view.zoom >= 8 ? 1 : view.zoom * 2);
const flip = () => show({ mode: "flip", shown: view.last });
const frameBy = (step) => { const count = gallery().numbers.length; show({ frame: (view.frame + step + count) % count }); };
const galleryBy = (step) => show({ gallery: (view.gallery + step + GALLERIES.length) % GALLERIES.length });

function toggleAuto() {
  if (view.timer) { clearInterval(view.timer); view.timer = 0; } else view.timer = setInterval(flip, 700);
  show({ mode: "flip" });
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("viewer-panel").requestFullscreen?.().catch(() => {});
}

function cycle(slot) {
  const names = CODECS.map((codec) => codec.name).filter((name) => name in level().points);
  const other = view[slot === "a" ? "b" : "a"], rest = names.filter((name) => name !== other);
  if (rest.length) show({ [slot]: rest[(rest.indexOf(view[slot]) + 1) % rest.length] });
}

const VIEWER_KEYS = {
  ArrowLeft: () => frameBy(-1), ArrowRight: () => frameBy(1), " ": flip, x: toggleAuto, z: cycleZoom, f: fullscreen,
  1: () => pressSlot("source"), 2: () => pressSlot("a"), 3: () => pressSlot("b"), a: () => cycle("a"), b: () => cycle("b"),
  w: () => show({ mode: "wipe" }), s: () => show({ mode: "split" }), d: () => show({ mode: "difference" }),
  r: () => show({ level: (view.level + 1) % gallery().levels.length }), n: () => galleryBy(1), p: () => galleryBy(-1),
  ",": () => show({ mode: "wipe", wipe: Math.max(0, view.wipe - 0.05) }), ".": () => show({ mode: "wipe", wipe: Math.min(1, view.wipe + 0.05) }),
};
const pressSlot = (slot) => { if (slots().includes(slot)) show({ mode: "flip", shown: slot }); };
const PAGE_KEYS = { m: () => next("metric"), l: () => next("x"), t: () => next("theme"), "[": () => next("clip", -1), "]": () => next("clip"), "?": () => $("help").showModal() };
const KEYS = [["1 2 3", "source, A, B"], ["Space", "flip between the last two"], ["← →", "frame"], ["w  s  d", "wipe, side by side, difference"], [", .", "move the wipe"],
  ["a  b", "another codec for A, for B"], ["n  p", "next, previous clip in the viewer"], ["r", "other rate"], ["x", "flip by itself"], ["z", "zoom"], ["f", "full screen"],
  ["m", "next metric"], ["[ ]", "clip of the curves"], ["l", "log or linear rate"], ["t", "light or dark"], ["?", "these keys"]];

// Whether the viewer is what one looks at: enough of it is in the window.
function inSight() {
  if (!parts.stage) return false;
  const box = parts.stage.getBoundingClientRect();
  return Math.min(innerHeight, box.bottom) - Math.max(0, box.top) > 0.4 * Math.min(innerHeight, box.height);
}

function attachKeys() {
  document.addEventListener("fullscreenchange", () => { if (parts.stage) drawStage(); });
  $("help").append(make("h2", {}, "Keys"), make("table", {}, ...KEYS.map(([keys, what]) => make("tr", {}, make("td", {}, make("kbd", {}, keys)), make("td", {}, what)))));
  $("help").addEventListener("click", () => $("help").close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || event.target.closest("select, input, textarea")) return;
    if (event.key === " " && event.target.closest("button, a")) return;
    const looking = inSight() || document.fullscreenElement || parts.stage?.contains(document.activeElement);
    const action = (looking && parts.stage ? VIEWER_KEYS[event.key] : undefined) ?? PAGE_KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
