"""What lets a drawing in millimetres fill a browser's window, and lets a reader zoom in."""

STYLE = """
@media screen {
  :root { display: block; width: 100vw; height: 100vh; background: white; }
  .line, .outline, .area, .mark { vector-effect: non-scaling-stroke; }
  .line { stroke-width: 1.8px; pointer-events: none; }
  .fibre .line { stroke-dasharray: 7px 3px; }
  .outline { stroke: transparent; stroke-width: 10px; pointer-events: all; }
  .mark { stroke-width: 8px; pointer-events: none; }
  .area { stroke-width: 1px; }
  .defect:hover .line { stroke-width: 4px; }
  .defect:hover .mark { stroke-width: 13px; }
  .id { transform: scale(var(--shrink, 1)); paint-order: stroke; stroke: white;
        stroke-width: 3px; vector-effect: non-scaling-stroke; pointer-events: none; }
}
"""
"""On a screen the drawing fills the window, and lines stay as thin as they are however far a
reader zooms in. Paper and drawing programs take the widths in millimetres beside the shapes."""

SCRIPT = """
const svg = document.documentElement;
const whole = svg.getAttribute("viewBox").split(" ").map(Number);
let box = whole, grabbed = null;
const show = (left, top, scale) => {
  box = scale < 1 ? [left, top, whole[2] * scale, whole[3] * scale] : whole;
  svg.setAttribute("viewBox", box.join(" "));
  svg.style.setProperty("--shrink", box[2] / whole[2]);
};
const at = (event) =>
  new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const place = at(event), by = Math.exp(Math.max(-100, Math.min(100, event.deltaY)) / 400);
  show(place.x - (place.x - box[0]) * by, place.y - (place.y - box[1]) * by,
       Math.max(by * box[2] / whole[2], 1e-4));
}, { passive: false });
svg.addEventListener("pointerdown", (event) => { grabbed = at(event); });
svg.addEventListener("pointerup", () => { grabbed = null; });
svg.addEventListener("pointermove", (event) => {
  if (!grabbed || !event.buttons) return;
  const place = at(event);
  show(box[0] + grabbed.x - place.x, box[1] + grabbed.y - place.y, box[2] / whole[2]);
});
svg.addEventListener("dblclick", () => show(0, 0, 1));
"""
"""The wheel zooms in at the pointer, dragging moves, a double click shows the whole again: a
drawing that fills the window has no other way, since a browser's own zoom leaves it as it is."""
