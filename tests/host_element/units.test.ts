// What the element's view computes, without a browser: bundled by esbuild, run by node.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DefectTable } from "../../darkscan/host/page/src/element/defects";
import {
  EVERYTHING,
  counted,
  listed,
  ordered,
  shownRows,
} from "../../darkscan/host/page/src/element/filters";
import {
  distanceToLine,
  fitted,
  movedBy,
  roundLength,
  shownBox,
  toMm,
  toScreen,
  viewAt,
  within,
} from "../../darkscan/host/page/src/element/geometry";
import {
  AS_STORED,
  RAW,
  cameraLevel,
  changesNothing,
  shownTable,
  suited,
} from "../../darkscan/host/page/src/element/levels";
import { clicked, measured } from "../../darkscan/host/page/src/element/measure";
import { readLink, writeLink } from "../../darkscan/host/page/src/element/places";
import { Raster } from "../../darkscan/host/page/src/element/raster";
import { ReviewLog, reviewedOf, stepped } from "../../darkscan/host/page/src/element/review";
import { TileIndex, levelsOf, tileBox } from "../../darkscan/host/page/src/element/tiles";

const near = (got: number, wanted: number, within = 1e-9): void =>
  assert.ok(Math.abs(got - wanted) <= within, `${got} is not ${wanted}`);

/** Four scratches and a dig of known length, at x = 10, 20, 30, 40, 50 mm. */
function table(): DefectTable {
  const rows = 5;
  const xs = Float32Array.from({ length: rows }, (_, row) => 10 * (row + 1));
  return DefectTable.ofMap({
    revision: 1,
    sha256: "",
    number: Int32Array.of(1, 2, 3, 4, 7),
    kind: Uint8Array.of(0, 0, 0, 0, 2),
    probability: Float32Array.of(0.5, 0.9, NaN, 0.75, 0.25),
    length_mm: Float32Array.of(1, 5, 2, 4, 0.5),
    width_um: Float32Array.of(10, 20, 30, 40, 50),
    contrast: Float32Array.of(3, 6, 9, 12, 15),
    x_mm: xs,
    y_mm: Float32Array.of(5, 4, 3, 2, 1),
    box: Float32Array.from([...xs].flatMap((x, row) => [x, 5 - row, 1, 0.5])),
    points: Float32Array.from([...xs].flatMap((x, row) => [x, 5 - row, x + 1, 5.5 - row])),
    counts: new Int32Array(rows).fill(2),
    area: new Int32Array(rows).fill(-1),
  });
}

const none = (rows: DefectTable) => ReviewLog.empty.over(rows);

test("a place goes to the screen and back", () => {
  const view = viewAt([100, 50], 8, 1200, 900);
  assert.deepEqual(toScreen(view, [100, 50]), [600, 450]);
  assert.deepEqual(toMm(view, [600, 450]), [100, 50]);
  assert.deepEqual(shownBox(view), [25, -6.25, 150, 112.5]);
});

test("a box is fitted with its margin, but no larger than the largest scale", () => {
  const view = fitted([10, 20, 100, 10], 1000, 1000, { margin: 0.1 });
  near(view.scale, 8);
  assert.deepEqual(toMm(view, [500, 500]).map(Math.round), [60, 25]);
  near(fitted([0, 0, 0, 0], 1000, 1000, { mostScale: 400 }).scale, 400);
});

test("a drawn layer is moved to where the new view has it", () => {
  const drawn = viewAt([50, 50], 10, 1000, 1000);
  const moved = viewAt([51, 50], 10, 1000, 1000);
  assert.equal(movedBy(drawn, moved, 100), "translate(-10px, 0px) scale(1)");
  const closer = viewAt([50, 50], 20, 1000, 1000);
  // The layer's corner, 100 px beyond the screen, is 600 px from the middle, then 1200.
  assert.equal(movedBy(drawn, closer, 100), "translate(-600px, -600px) scale(2)");
});

test("the distance to a line is that to its nearest stretch", () => {
  const line = Float32Array.of(0, 0, 10, 0, 10, 10);
  near(distanceToLine([5, 3], line, 0, 3), 3);
  near(distanceToLine([14, 5], line, 0, 3), 4);
  near(distanceToLine([-3, -4], line, 0, 3), 5);
  near(distanceToLine([3, 4], Float32Array.of(0, 0), 0, 1), 5);
});

test("a ring holds what is inside", () => {
  const ring = [[0, 0], [4, 0], [4, 4], [0, 4]] as const;
  assert.ok(within([1, 3], ring));
  assert.ok(!within([5, 3], ring));
});

test("scale bars are 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual([0.9, 1, 3.4, 7, 49, 0.0123].map(roundLength), [0.5, 1, 2, 5, 20, 0.01]);
});

test("the raw table is linear in the camera's levels, and the stored one changes nothing", () => {
  const levels = { softening: 4, fullScale: 4095 };
  near(cameraLevel(255, levels), 4095, 1e-6);
  near(cameraLevel(0, levels), 0);
  const raw = shownTable(RAW, levels);
  for (const grey of [0, 17, 128, 200, 255]) near(raw[grey]!, cameraLevel(grey, levels) / 4095, 3e-4);
  const stored = shownTable(AS_STORED, levels);
  for (let grey = 0; grey < 256; grey++) near(stored[grey]!, grey / 255, 1e-9);
  assert.ok(changesNothing(AS_STORED) && !changesNothing(RAW));
});

test("black and white points cut off, and the table never falls", () => {
  const shown = shownTable({ stretch: 0.6, black: 40, white: 90 }, { softening: 4, fullScale: 255 });
  assert.equal(shown[40], 0);
  assert.equal(shown[90], 1);
  for (let grey = 1; grey < 256; grey++) assert.ok(shown[grey]! >= shown[grey - 1]!);
});

test("a suited contrast darkens the background and keeps what stands out", () => {
  const greys = Uint8Array.from({ length: 10_000 }, (_, i) => (i % 5 ? 50 + (i % 7) : 0));
  greys.fill(200, 0, 30);
  const { black, white } = suited(greys, AS_STORED);
  assert.ok(black > 30 && black < 53, String(black));
  assert.equal(white, 200);
  assert.equal(suited(new Uint8Array(500), AS_STORED), AS_STORED);
});

test("a measured line has its distance and its angle, whichever way it was drawn", () => {
  assert.deepEqual(measured([1, 1], [4, 5]).distance, 5);
  near(measured([0, 0], [1, 1]).angle, 45);
  near(measured([1, 1], [0, 0]).angle, 45);
  near(measured([0, 0], [0, -2]).angle, 90);
});

test("a third click measures anew", () => {
  const two = clicked(clicked([], [0, 0]), [1, 0]);
  assert.equal(two.length, 2);
  assert.deepEqual(clicked(two, [2, 2]), [[2, 2]]);
});

test("a link is read as it was written", () => {
  const linked = { place: { x: 123.4567, y: -1.5, z: 8.25 }, defect: "D0042" };
  assert.deepEqual(readLink(writeLink(linked)), linked);
  assert.equal(writeLink({ place: null, defect: null }), "");
});

for (const hash of ["", "#", "#x=1&y=2", "#x=a&y=2&z=3", "#x=1&y=2&z=0", "#x=&y=&z=", "#x=1&y=2&z=-1"]) {
  test(`an address without a good place leads nowhere: "${hash}"`, () => {
    assert.deepEqual(readLink(hash), { place: null, defect: null });
  });
}

test("an address names defects, and nothing else", () => {
  assert.equal(readLink("#d=D0001").defect, "D0001");
  assert.equal(readLink("#d=<script>").defect, null);
});

test("filters hide rows by kind, size, probability and contrast", () => {
  const rows = table();
  const shown = (change: object) => [...shownRows(rows, { ...EVERYTHING, ...change }, none(rows))];
  assert.deepEqual(shown({}), [1, 1, 1, 1, 1]);
  assert.deepEqual(shown({ kinds: new Set(["dig"]) }), [0, 0, 0, 0, 1]);
  assert.deepEqual(shown({ lengthMm: [2, 4] }), [0, 0, 1, 1, 0]);
  assert.deepEqual(shown({ widthUm: [-Infinity, 20] }), [1, 1, 0, 0, 0]);
  assert.deepEqual(shown({ contrast: [12, Infinity] }), [0, 0, 0, 1, 1]);
  // A defect without a probability is never hidden for it.
  assert.deepEqual(shown({ probability: [0.6, 1] }), [0, 1, 1, 1, 0]);
});

test("the list has an order, and only what is shown", () => {
  const rows = table();
  assert.deepEqual([...ordered(rows, "length")], [1, 3, 2, 0, 4]);
  assert.deepEqual([...ordered(rows, "place")], [4, 3, 2, 1, 0]);
  assert.deepEqual([...ordered(rows, "probability")], [1, 3, 0, 4, 2]);
  const shown = Uint8Array.of(1, 0, 1, 0, 0);
  assert.deepEqual([...listed(ordered(rows, "length"), shown)], [2, 0]);
  assert.deepEqual(counted(none(rows), shown), { shown: [2, 0, 0, 0], all: [4, 0, 1, 0], total: 2 });
});

test("the nearest shown defect is found, within reach", () => {
  const rows = table();
  const all = new Uint8Array(5).fill(1);
  assert.equal(rows.nearest([10.5, 5.3], 0.2, all), 0);
  assert.equal(rows.nearest([10.5, 5.3], 0.2, Uint8Array.of(0, 1, 1, 1, 1)), -1);
  assert.equal(rows.nearest([15, 5], 0.2, all), -1);
  assert.deepEqual(rows.rowsWithin([19, 0, 12, 10]).sort(), [1, 2]);
  assert.equal(rows.rowOf("D0007"), 4);
  assert.equal(rows.rowOf("D0005"), -1);
  assert.equal(rows.id(4), "D0007");
});

test("columns that do not fit together are refused", () => {
  assert.throws(() =>
    DefectTable.ofShapes({
      points: Float32Array.of(1, 2),
      counts: Int32Array.of(2),
      kind: Uint8Array.of(0),
      width_um: Float32Array.of(0),
      contrast: Float32Array.of(0),
    }),
  );
});

const review = (number: number, defect: string, verdict: "open" | "confirmed" | "rejected") =>
  ({ number, defect, verdict, kind: null, comment: "", name: "Ada", at: "", hash: "" }) as const;

test("the newest review of a defect decides, whatever order they came in", () => {
  const log = ReviewLog.empty
    .with([review(5, "D0001", "rejected")])
    .with([review(2, "D0001", "confirmed"), review(5, "D0001", "rejected")]);
  assert.equal(log.latest("D0001")?.verdict, "rejected");
  assert.equal(log.of("D0001").length, 2);
  assert.equal(log.newest, 5);
  assert.deepEqual([...log.over(table()).verdict], [2, 0, 0, 0, 0]);
});

test("a review that waits shows, and is taken back when it was not kept", () => {
  const rows = table();
  const before = ReviewLog.empty.with([review(1, "D0002", "confirmed")]);
  const waiting = { ...review(0, "D0002", "rejected"), kind: "dig", waiting: true } as const;
  const meanwhile = before.withWaiting(waiting);
  assert.equal(meanwhile.over(rows).verdict[1], 2);
  assert.equal(meanwhile.over(rows).kind[1], 2);
  assert.equal(meanwhile.without(waiting).over(rows).verdict[1], 1);
  assert.equal(meanwhile.without(waiting).over(rows).kind[1], 0);
  assert.deepEqual(reviewedOf(before.over(rows), Uint8Array.of(1, 1, 0, 0, 0)), { done: 1, all: 2 });
});

test("stepping follows the list, stops at its ends, and survives a hidden row", () => {
  const list = Int32Array.of(7, 3, 9);
  assert.equal(stepped(list, -1, 1), 7);
  assert.equal(stepped(list, -1, -1), 9);
  assert.equal(stepped(list, 7, 1), 3);
  assert.equal(stepped(list, 9, 1), 9);
  assert.equal(stepped(list, 7, -1), 7);
  // Row 5 was second before a filter hid it.
  assert.equal(stepped(list, 5, 1, 1), 3);
  assert.equal(stepped(list, 5, -1, 1), 7);
  assert.equal(stepped(Int32Array.of(), 5, 1, 1), -1);
});

test("tiles at the borders are cut, as the host cuts them", () => {
  const size = { widthPx: 1025, heightPx: 700, pitchUm: 10, levels: levelsOf(1025, 700) };
  assert.equal(size.levels, 3);
  assert.deepEqual(tileBox(size, 0, 2, 1), [1024, 512, 1, 188]);
  assert.deepEqual(tileBox(size, 1, 1, 0), [1024, 0, 2, 700]);
  assert.deepEqual(tileBox(size, 2, 0, 0), [0, 0, 1028, 700]);
});

test("a tile is news once, and one that was missing may come", () => {
  const index = new TileIndex(true);
  assert.equal(index.learn([[1, 0, 0, 3]]).length, 1);
  assert.equal(index.learn([[1, 0, 0, 3], [1, 0, 0, 2]]).length, 0);
  assert.equal(index.revision(1, 0, 0), 3);
  index.miss(0, 4, 4, 0);
  assert.ok(!index.mayHave(0, 4, 4) && index.mayHave(0, 4, 5));
  index.learn([[0, 4, 4, 1]]);
  assert.ok(index.mayHave(0, 4, 4));
  // An event came while the host was asked: the answer is of before.
  index.miss(0, 4, 4, 0);
  assert.ok(index.mayHave(0, 4, 4));
  assert.ok(!new TileIndex(false).mayHave(0, 0, 0));
});

test("a raster's lines cover the pixels that they run through, and nothing outside", () => {
  const bytes = new Uint8ClampedArray(4 * 8 * 6);
  const raster = new Raster(8, 6, bytes);
  raster.line(1, 2, 6, 2, 0x0000ff, 255);
  raster.line(-50, -40, 90, 60, 0x00ff00, 255);
  raster.line(3, -100, 3, -50, 0x00ff00, 255);
  const alpha = (x: number, y: number) => bytes[4 * (8 * y + x) + 3];
  for (let x = 1; x <= 6; x++) assert.equal(alpha(x, 2), 255);
  assert.deepEqual([...bytes.subarray(4 * (8 * 2 + 1), 4 * (8 * 2 + 1) + 4)], [255, 0, 0, 255]);
  assert.equal(alpha(0, 5), 0);
});
