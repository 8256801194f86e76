export * from "./types";
export * from "./http";
export { connection, lastHeard, listen } from "./events";
