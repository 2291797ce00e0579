import { resolve } from "node:path";
import { conformanceSuite } from "./support/suite.js";

const CLIENT = resolve(import.meta.dirname, "../../clients/python");
const PYTHON = resolve(CLIENT, ".venv/bin/python");
const RUNNER = resolve(CLIENT, "tests/conformance/runner.py");

conformanceSuite("Python", [PYTHON, RUNNER]);
conformanceSuite("Python, asyncio", [PYTHON, RUNNER, "--asyncio"]);
