// Builds the page into ../web/assets: the same bytes from the same sources, on every machine.
//
// Names carry a hash of what they hold, so that a browser may keep them for ever; index.html
// names those of now. Each view is a chunk of its own that loads when it is first opened.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../web/assets"));
const BUNDLED = ["preact", "@preact/signals", "@preact/signals-core", "openseadragon", "flatbush", "flatqueue"];

const built = await esbuild.build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx", styles: "src/styles/index.css" },
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  charset: "utf8",
  legalComments: "none", // licences.txt has them
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".svg": "file" },
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/assets",
  outdir: out,
  metafile: true,
  write: false,
  logLevel: "warning",
});

const files = new Map(built.outputFiles.map((file) => [relative(out, file.path), file.contents]));

async function hashed(source) {
  const data = await readFile(join(here, source));
  const hash = createHash("sha256").update(data).digest("hex").slice(0, 8).toUpperCase();
  const name = source.split("/").at(-1).replace(/\.(\w+)$/, `-${hash}.$1`);
  files.set(name, data);
  return name;
}

const named = (start) => [...files.keys()].find((name) => name.startsWith(start));
const names = {
  script: named("page-"),
  styles: named("styles-"),
  icon: await hashed("src/icon.svg"),
};
const template = await readFile(join(here, "src/index.html"), "utf8");
files.set("index.html", template.replace(/\{(\w+)\}/g, (_, name) => `/assets/${names[name]}`));

const licences = await Promise.all(
  BUNDLED.map(async (name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    for (const file of ["LICENSE", "LICENSE.txt", "LICENSE.md"]) {
      const text = await readFile(join(folder, file), "utf8").catch(() => null);
      if (text !== null) return `${name} ${version} (${license})\n\n${text.trim()}\n`;
    }
    return `${name} ${version} (${license})\n`;
  }),
);
files.set("licences.txt", licences.join(`\n${"-".repeat(80)}\n\n`));

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const [name, data] of files) await writeFile(join(out, name), data);

const { gzipSync } = await import("node:zlib");
const sizes = [...files].filter(([name]) => /\.(js|css|html|svg)$/.test(name));
for (const [name, data] of sizes) console.log(`${String(gzipSync(data).length).padStart(7)}  ${name}`);
console.log(`${String(sizes.reduce((sum, [, data]) => sum + gzipSync(data).length, 0)).padStart(7)}  bytes in all, gzip`);
