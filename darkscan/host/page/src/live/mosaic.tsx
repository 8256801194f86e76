// The element at its true proportions: its picture, what was not inspected, and what was found.

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import {
  DEFECT_KINDS,
  type Box,
  type NotInspectedArea,
  type Point,
  type ScanDetails,
  type ShapeColumns,
} from "../api";
import { count, percent } from "../format";
import { colour, drawArea, drawFrames, drawShapes, frameBox, type Scale } from "./drawing";
import { PicturePainter } from "./picture";
import { settled, type LiveScan } from "./scan";

/** What the list of places not inspected points at. */
export interface Pointed {
  frames: (outcome: number, reason: string) => boolean;
  areas: (area: NotInspectedArea) => boolean;
}

interface Size {
  width: number;
  height: number;
}

/** The largest size of the element's proportions that its parent has room for, CSS px. */
function useFittingSize(proportions: number) {
  const room = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = room.current!;
    const observer = new ResizeObserver(() => {
      const width = Math.floor(Math.min(element.clientWidth, element.clientHeight * proportions));
      setSize({ width, height: Math.round(width / proportions) });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [proportions]);
  return { room, size };
}

export function Mosaic(props: {
  scan: LiveScan;
  details: ScanDetails;
  pointed?: Pointed | null;
  /** Whether it is a small one among others. */
  small?: boolean;
}) {
  const { scan, details, pointed = null, small = false } = props;
  const [elementWidth, elementHeight] = details.size_mm;
  const { room, size } = useFittingSize(elementWidth / elementHeight);
  return (
    <div class="mosaic-room" ref={room} style={{ aspectRatio: `${elementWidth} / ${elementHeight}` }}>
      {size.width > 0 && (
        <Sheets key={`${size.width}`} scan={scan} details={details} size={size} pointed={pointed} small={small} />
      )}
    </div>
  );
}

function Sheets(props: {
  scan: LiveScan;
  details: ScanDetails;
  size: Size;
  pointed: Pointed | null;
  small: boolean;
}) {
  const { scan, details, size, pointed, small } = props;
  const picture = useRef<HTMLCanvasElement>(null);
  const frames = useRef<HTMLCanvasElement>(null);
  const shapes = useRef<HTMLCanvasElement>(null);
  const pointer = useRef<HTMLCanvasElement>(null);
  const density = Math.min(2, Math.max(1, devicePixelRatio));
  const scale: Scale = { perMm: (size.width * density) / details.size_mm[0], density };
  const box = frameBox(details);

  useEffect(() => {
    if (!details.picture) return;
    const context = picture.current!.getContext("2d")!;
    const painter = new PicturePainter(context, scan.id, details.picture, scale.perMm);
    const stop = scan.onTiles((tiles) => painter.want(tiles));
    painter.drawAll();
    return () => {
      stop();
      painter.stop();
    };
  }, [scan, details.picture !== null, scan.resetTurn.value]);

  useSignalEffect(() => {
    scan.framesTurn.value;
    const context = frames.current!.getContext("2d")!;
    drawFrames(context, scan.frames.all, box, scale);
    const areas = scan.details.value?.not_inspected ?? [];
    for (const area of areas) {
      if (area.kind !== "lost" && area.kind !== "quarantined") drawArea(context, area.rings, area.kind, scale);
    }
  });

  const drawn = useRef(0);
  useSignalEffect(() => {
    scan.shapesTurn.value;
    scan.resetTurn.value;
    const context = shapes.current!.getContext("2d")!;
    if (drawn.current > scan.shapes.length) drawn.current = 0;
    if (drawn.current === 0) context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    for (const chunk of scan.shapes.slice(drawn.current)) {
      drawShapes(context, chunk, small ? { ...scale, density: density * 0.7 } : scale);
    }
    drawn.current = scan.shapes.length;
  });

  useEffect(() => {
    const context = pointer.current!.getContext("2d")!;
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (pointed) drawPointed(context, scan, details, pointed, scale, box);
  }, [pointed, scan.framesTurn.value]);

  const sheet = { width: Math.round(size.width * density), height: Math.round(size.height * density) };
  return (
    <div
      class="mosaic"
      style={{ width: `${size.width}px`, height: `${size.height}px` }}
      role="img"
      aria-label={inWords(scan, details)}
    >
      <canvas ref={picture} {...sheet} />
      <canvas ref={frames} {...sheet} />
      <Region details={details} />
      <canvas ref={shapes} {...sheet} />
      <canvas ref={pointer} {...sheet} />
      <Place scan={scan} details={details} box={box} />
      {!small && <Flashes scan={scan} details={details} />}
      {!small && <ScaleBar details={details} width={size.width} />}
    </div>
  );
}

function inWords(scan: LiveScan, details: ScanDetails): string {
  const counts = scan.counts.value ?? details.frames;
  const inspected = percent(counts.planned ? settled(counts) / counts.planned : 0, 0);
  const found = DEFECT_KINDS.map((kind) => `${kind} ${count(scan.traces.value[kind])}`).join(", ");
  const missing = counts.lost + counts.quarantined;
  return (
    `Element ${details.element}, side ${details.side}: ${inspected} of its frames are done, ` +
    `${count(missing)} of them not inspected; traces found: ${found}.`
  );
}

const share = (part: number, whole: number): string => `${(100 * part) / whole}%`;

const at = ([x, y]: Point, [w, h]: Point) => ({ left: share(x, w), top: share(y, h) });

function placed([x, y, width, height]: Box, size: Point) {
  return { ...at([x, y], size), width: share(width, size[0]), height: share(height, size[1]) };
}

function Region({ details }: { details: ScanDetails }) {
  return <div class="region" style={placed(details.region_mm, details.size_mm)} />;
}

/** Where the scan is now. */
function Place(props: { scan: LiveScan; details: ScanDetails; box: Box }) {
  const { scan, details, box } = props;
  scan.framesTurn.value;
  const latest = scan.frames.latest;
  if (!latest || !scan.isOpen.value) return null;
  return <div class="here" style={placed([latest.x + box[0], latest.y + box[1], box[2], box[3]], details.size_mm)} />;
}

/** Rings that run out around scratches as they are found. */
function Flashes({ scan, details }: { scan: LiveScan; details: ScanDetails }) {
  const [flashes, setFlashes] = useState<Point[]>([]);
  const seen = useRef(-1);
  useSignalEffect(() => {
    scan.shapesTurn.value;
    const before = seen.current;
    seen.current = scan.shapes.length;
    // What was found before this view was opened is no news.
    if (before < 1) return;
    const found = scan.shapes.slice(before).flatMap(middlesOfScratches);
    if (found.length > 0) setFlashes(found.slice(-MOST_FLASHES));
  });
  return (
    <>
      {flashes.map(([x, y]) => (
        <span key={`${x} ${y}`} class="flash" style={at([x, y], details.size_mm)} />
      ))}
    </>
  );
}

const MOST_FLASHES = 20;

function middlesOfScratches({ points, counts, kind }: ShapeColumns): Point[] {
  const middles: Point[] = [];
  let at = 0;
  counts.forEach((length, k) => {
    const middle = at + 2 * Math.floor(length / 2);
    if (DEFECT_KINDS[kind[k]!] === "scratch") middles.push([points[middle]!, points[middle + 1]!]);
    at += 2 * length;
  });
  return middles;
}

/** A length of 1, 2 or 5 times a power of ten, about a sixth of the width. */
function ScaleBar({ details, width }: { details: ScanDetails; width: number }) {
  const most = details.size_mm[0] / 6;
  const power = 10 ** Math.floor(Math.log10(most));
  const mm = [5, 2, 1].map((step) => step * power).find((step) => step <= most) ?? power;
  return (
    <div class="scale" style={{ width: `${(mm / details.size_mm[0]) * width}px` }}>
      {mm} mm
    </div>
  );
}

function drawPointed(
  context: CanvasRenderingContext2D,
  scan: LiveScan,
  details: ScanDetails,
  pointed: Pointed,
  { perMm, density }: Scale,
  [x, y, width, height]: Box,
): void {
  context.strokeStyle = colour("focus");
  context.lineWidth = 3 * density;
  for (const frame of scan.frames.all) {
    if (!pointed.frames(frame.outcome, frame.reason)) continue;
    context.strokeRect((frame.x + x) * perMm, (frame.y + y) * perMm, width * perMm, height * perMm);
  }
  for (const area of details.not_inspected.filter(pointed.areas)) {
    context.beginPath();
    for (const ring of area.rings) {
      ring.forEach(([x, y], k) => (k ? context.lineTo(x * perMm, y * perMm) : context.moveTo(x * perMm, y * perMm)));
      context.closePath();
    }
    context.stroke();
  }
}
