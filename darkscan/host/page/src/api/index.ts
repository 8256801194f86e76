export * from "./types";
export * from "./http";
export { connection, listen } from "./events";
