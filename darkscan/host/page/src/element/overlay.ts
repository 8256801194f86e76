/** A canvas over the picture for the little that is drawn anew at every step. */

import type { View } from "./geometry";

export class Overlay {
  readonly canvas = document.createElement("canvas");
  private readonly context: CanvasRenderingContext2D;
  private empty = true;

  constructor(
    private readonly scene: {
      /** Whether there is something to draw. */
      readonly hasOver: boolean;
      over(context: CanvasRenderingContext2D, view: View): void;
    },
  ) {
    this.context = this.canvas.getContext("2d")!;
    this.canvas.className = "overlay-layer";
    this.canvas.setAttribute("aria-hidden", "true");
  }

  draw(view: View): void {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(view.width * ratio);
    const height = Math.round(view.height * ratio);
    const { canvas, context } = this;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    } else if (this.empty && !this.scene.hasOver) {
      return;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.empty = !this.scene.hasOver;
    if (this.scene.hasOver) this.scene.over(context, view);
  }
}
