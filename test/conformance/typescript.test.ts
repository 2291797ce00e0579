import { resolve } from "node:path";
import { conformanceSuite } from "./support/suite.js";

const RUNNER = resolve(import.meta.dirname, "runners/typescript.mjs");

conformanceSuite("TypeScript", [process.execPath, RUNNER]);
