// Compiles the contracts with the solc of package-lock.json and writes bridge/artifacts/*.json: what a user of the
// Python package needs to deploy and to read them. `--check` writes nothing: it says that all are the same, or exits 1
// naming what differs.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import sha3 from "js-sha3";
import solc from "solc";

const HERE = dirname(fileURLToPath(import.meta.url));
const ARTIFACTS = join(HERE, "..", "bridge", "artifacts");

// The deterministic deployment proxy, which puts the factory at one address on every chain (salt 0).
const PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C";
const FACTORY_SALT = "0x" + "00".repeat(32);

// Paris: any EVM chain runs it. No metadata: a comment must not change an address.
const settings = (extra) => ({
  evmVersion: "paris",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  ...extra,
});

// The account and its factory are parts of the formats: their settings, like their sources, never change.
const FORMAT = settings({ optimizer: { enabled: true, runs: 200 }, viaIR: true });

// Not by way of the IR: its optimizer computes cheap values of the record loop anew, 340 gas a record.
const TOKEN = settings({ optimizer: { enabled: true, runs: 1_000_000 }, viaIR: false });

// In no format and at no fixed address: another version may have other bytes.
const PROOF = settings({ optimizer: { enabled: true, runs: 1_000_000 }, viaIR: false });

const CONTRACTS = [
  { name: "AccountFactory", version: "1", settings: FORMAT },
  { name: "LedgerAccount", version: "1", settings: FORMAT },
  { name: "LedgerToken", version: "1", settings: TOKEN },
  { name: "LedgerTokenDeferred", version: "1", settings: TOKEN },
  { name: "EntryProof", version: "1", settings: PROOF },
];

const keccak = (hex) => "0x" + sha3.keccak256(Buffer.from(hex.replace(/^0x/, ""), "hex"));

// EIP-55: a letter is a capital where the hash of the lower-case hex has 8 or more.
function checksum(address) {
  const digits = address.slice(2).toLowerCase();
  const hash = sha3.keccak256(digits);
  return "0x" + [...digits].map((c, i) => (parseInt(hash[i], 16) >= 8 ? c.toUpperCase() : c)).join("");
}

const create2 = (deployer, salt, initCodeHash) =>
  checksum("0x" + keccak("ff" + deployer.slice(2) + salt.slice(2) + initCodeHash.slice(2)).slice(26));

// "src/..." is ours, anything else is a package.
function readSource(path) {
  const root = path.startsWith("src/") ? HERE : join(HERE, "node_modules");
  return { contents: readFileSync(join(root, path), "utf8") };
}

// Each contract is compiled alone, so that none of its bytes depends on what else is in this folder.
function compile({ name, version, settings }) {
  const path = `src/${name}.sol`;
  const outputSelection = { [path]: { [name]: ["abi", "evm.bytecode.object", "evm.deployedBytecode"] } };
  const input = {
    language: "Solidity",
    sources: { [path]: { content: readSource(path).contents } },
    settings: { ...settings, outputSelection },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readSource }));
  // A warning in our sources is an error; those of packages are theirs.
  const ours = ({ severity, sourceLocation }) =>
    severity === "error" || !sourceLocation || sourceLocation.file.startsWith("src/");
  const problems = (output.errors ?? []).filter(ours).map((problem) => problem.formattedMessage);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const { abi, evm } = output.contracts[path][name];
  const bytecode = "0x" + evm.bytecode.object;
  return {
    name,
    version,
    compiler: solc.version(),
    settings,
    abi,
    bytecode,
    deployedBytecode: "0x" + evm.deployedBytecode.object,
    immutableReferences: evm.deployedBytecode.immutableReferences ?? {},
    ...(name === "LedgerAccount" ? { initCodeHash: keccak(bytecode) } : {}),
  };
}

function formats(contracts) {
  const { initCodeHash } = contracts.find(({ name }) => name === "LedgerAccount");
  const { bytecode } = contracts.find(({ name }) => name === "AccountFactory");
  return {
    deploymentProxy: PROXY,
    factory: create2(PROXY, FACTORY_SALT, keccak(bytecode)),
    factorySalt: FACTORY_SALT,
    initCodeHash,
  };
}

// The token knows the two constants as text; they must be those of the bytes that were just compiled.
function checkConstants({ factory, initCodeHash }) {
  const source = readSource("src/libraries/Digests.sol").contents;
  for (const [name, value] of [["FACTORY", factory], ["INIT_CODE_HASH", initCodeHash]]) {
    if (!source.includes(`constant ${name} = ${value};`)) {
      throw new Error(`contracts/src/libraries/Digests.sol: ${name} must be ${value}`);
    }
  }
}

const sorted = (value) =>
  value === null || typeof value !== "object" || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));

function main(check) {
  const contracts = CONTRACTS.map(compile);
  const constants = formats(contracts);
  checkConstants(constants);
  const files = [["formats", constants], ...contracts.map((contract) => [contract.name, contract])];
  const differing = [];
  mkdirSync(ARTIFACTS, { recursive: true });
  for (const [name, content] of files) {
    const path = join(ARTIFACTS, `${name}.json`);
    const text = JSON.stringify(sorted(content), null, 2) + "\n";
    if (!check) writeFileSync(path, text);
    else if (!matches(path, text)) differing.push(`bridge/artifacts/${name}.json`);
  }
  for (const path of differing) console.error(`${path} is not what the sources compile to`);
  if (check && differing.length === 0) console.log(`${files.length} artifacts are what solc ${solc.version()} makes`);
  return differing.length === 0 ? 0 : 1;
}

function matches(path, text) {
  try {
    return readFileSync(path, "utf8") === text;
  } catch {
    return false;
  }
}

try {
  process.exitCode = main(process.argv.includes("--check"));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
