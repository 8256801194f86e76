/** The picture of a scan: OpenSeadragon on a canvas, spoken to in millimetres. */

import OpenSeadragon from "openseadragon";

import type { TileRevision } from "../api";
import { fitted, sameView, type Box, type Point, type View } from "./geometry";
import { TileLoader } from "./source";
import type { PictureSize, TileIndex } from "./tiles";

/** Screen pixels that a pixel of level 0 has at the largest. */
const LARGEST_PIXEL = 40;
/** How long it takes to get to another place, seconds. */
const TRAVEL_S = 0.45;

/** OpenSeadragon would add a style element with a rule of its own, which the page's content
 * security policy forbids and the console reports. It adds none where it finds one, and does not
 * look at what kind of document that is of. */
function keepStylesOut(): void {
  const name = "data-openseadragon-mobile-css";
  if (document.querySelector(`style[${name}]`)) return;
  const empty = document.createElementNS("urn:darkscan:none", "style");
  empty.setAttribute(name, "true");
  document.head.append(empty);
}

export interface PictureEvents {
  /** The picture shows another part. */
  moved: (view: View) => void;
  /** All tiles of what it shows are there. */
  complete: () => void;
  /** A place was clicked, or tapped. */
  clicked: (place: Point) => void;
}

export class Picture {
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly widthMm: number;
  private readonly tiles: TileLoader;
  /** Steps that wait until the picture has opened. */
  private readonly waiting: (() => void)[] = [];
  private opened = false;
  private smooth: boolean | null = null;
  private told: View | null = null;

  constructor(
    private readonly element: HTMLElement,
    scan: string,
    private readonly size: PictureSize,
    index: TileIndex,
    /** Whether tiles have come. Without one, OpenSeadragon would draw nothing, all the time. */
    hasTiles: boolean,
    events: PictureEvents,
  ) {
    this.widthMm = (size.widthPx * size.pitchUm) / 1000;
    keepStylesOut();
    this.tiles = new TileLoader(scan, size, index, () => this.redraw());
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.viewer = new OpenSeadragon.Viewer({
      element,
      drawer: "canvas",
      tileSources: { tileSource: this.tiles.source, opacity: Number(hasTiles) },
      showNavigationControl: false,
      animationTime: still ? 0 : TRAVEL_S,
      springStiffness: 8,
      maxZoomPixelRatio: LARGEST_PIXEL,
      minZoomImageRatio: 0.5,
      visibilityRatio: 0.2,
      zoomPerScroll: 1.3,
      maxImageCacheCount: 400,
      imageLoaderLimit: 8,
      minPixelRatio: 0.6,
      // Else several tiles are drawn small, and blown up together: pixels would be blurred.
      smoothTileEdgesMinZoom: Infinity,
      alwaysBlend: false,
      blendTime: 0,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: !still },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
    } as OpenSeadragon.Options);
    const tell = (): void => {
      const { view, told } = this;
      if (told && sameView(told, view)) return;
      this.told = view;
      this.smoothen(view);
      events.moved(view);
    };
    this.viewer.addHandler("open", () => {
      this.opened = true;
      this.image?.addHandler("fully-loaded-change", ({ fullyLoaded }) => {
        // The event comes before the tiles are drawn.
        if (fullyLoaded) requestAnimationFrame(() => requestAnimationFrame(events.complete));
      });
      for (const step of this.waiting.splice(0)) step();
      tell();
    });
    this.viewer.addHandler("tile-unloaded", ({ tile }) => this.tiles.forget(tile));
    this.viewer.addHandler("update-viewport", tell);
    this.viewer.addHandler("resize", tell);
    this.viewer.addHandler("canvas-click", (event) => {
      if (event.quick) events.clicked(this.placeAt(event.position.x, event.position.y));
    });
    // The page has keys of its own, and says which.
    this.viewer.addHandler("canvas-key", (event) => {
      event.preventDefaultAction = true;
    });
  }

  /** What it shows now. */
  get view(): View {
    const { x, y, width } = this.viewer.viewport.getBoundsNoRotate(true);
    const shown = this.viewer.viewport.getContainerSize();
    return {
      leftMm: x * this.widthMm,
      topMm: y * this.widthMm,
      scale: shown.x / (width * this.widthMm),
      width: shown.x,
      height: shown.y,
    };
  }

  /** The scale at which a pixel of level 0 is ``px`` screen pixels wide. */
  scaleOf(px: number): number {
    return (px * 1000) / this.size.pitchUm;
  }

  /** The canvas that its pixels are on. */
  get canvas(): HTMLCanvasElement {
    return this.viewer.drawer.canvas as HTMLCanvasElement;
  }

  /** Calls back once it shows something. */
  whenOpen(step: () => void): void {
    if (this.opened) step();
    else this.waiting.push(step);
  }

  goTo(view: View, atOnce = false): void {
    const unit = this.widthMm;
    const bounds = new OpenSeadragon.Rect(
      view.leftMm / unit,
      view.topMm / unit,
      view.width / view.scale / unit,
      view.height / view.scale / unit,
    );
    this.viewer.viewport.fitBounds(bounds, atOnce);
  }

  /** Shows a box as a whole; no closer than ``pixel`` screen pixels for one of level 0. */
  fit(box: Box, { margin = 0.06, pixel = 6, atOnce = false } = {}): void {
    const { width, height } = this.view;
    this.goTo(fitted(box, width, height, { margin, mostScale: this.scaleOf(pixel) }), atOnce);
  }

  /** Moves by parts of the screen. */
  pan(right: number, down: number): void {
    const { width, height } = this.viewer.viewport.getBoundsNoRotate(true);
    this.viewer.viewport.panBy(new OpenSeadragon.Point(right * width, down * height));
    this.viewer.viewport.applyConstraints();
  }

  zoom(by: number): void {
    this.viewer.viewport.zoomBy(by);
    this.viewer.viewport.applyConstraints();
  }

  /** Shows tiles of which there is a later revision. */
  refresh(tiles: readonly TileRevision[]): void {
    this.image?.setOpacity(1);
    void this.tiles.renew(tiles);
  }

  /** Asks again for tiles that could not be had. */
  retry(): void {
    this.tiles.retry();
  }

  /** Asks again for all tiles: events were missed that may have told of others. */
  reset(): void {
    void this.tiles.renewAll();
  }

  private get image(): OpenSeadragon.TiledImage | undefined {
    return this.viewer.world.getItemAt(0) as OpenSeadragon.TiledImage | undefined;
  }

  /** Has the picture look at its tiles anew. */
  private redraw(): void {
    const { image } = this;
    // Setting the clip is what has OpenSeadragon ask again for tiles that may exist now.
    image?.setClip(image.getClip());
    this.viewer.forceRedraw();
  }

  private placeAt(x: number, y: number): Point {
    const { leftMm, topMm, scale } = this.view;
    return [leftMm + x / scale, topMm + y / scale];
  }

  /** Pixels are shown as squares as soon as each is larger than one of the screen. */
  private smoothen(view: View): void {
    const pixel = (view.scale * this.size.pitchUm) / 1000;
    const { drawer } = this.viewer;
    const smooth = pixel * (window.devicePixelRatio || 1) < 1.5;
    if (this.smooth === smooth) return;
    this.smooth = smooth;
    drawer.setImageSmoothingEnabled(smooth);
    // We may be told at the end of a drawing, which forgets what was asked for meanwhile.
    requestAnimationFrame(() => this.viewer.forceRedraw());
  }

  destroy(): void {
    this.viewer.destroy();
    this.element.replaceChildren();
  }
}
