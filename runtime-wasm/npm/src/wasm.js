// The glue, which is made.
export * from "./stgclient.js";
export { default } from "./stgclient.js";
