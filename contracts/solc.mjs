#!/usr/bin/env node
// What forge and slither take for a compiler: the solc of package-lock.json, which is not a program but a library.
// They ask for `--version`, or send the standard JSON input, sources and all, on standard input.

import { readFileSync, writeFileSync } from "node:fs";

import solc from "solc";

const version = () => `solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`;
const answer = process.argv.includes("--standard-json") ? solc.compile(readFileSync(0, "utf8")) : version();

// Written at once and whole: a pipe takes 64 KiB at a time, and to end the process would cut the rest.
writeFileSync(1, answer);
