// What calls take by the rules of the next upgrade, as another EVM has them: @ethereumjs/vm, which implements EIP-2780,
// 7778, 7976, 8037 and 8038 together. It is no node: there are no blocks, and nobody can ask it by RPC.
//
// Reads {"block_gas", "key", "codes": {address: code}, "calls": [{"to", "data", "gas"}]} from a JSON file, and prints for
// each call {"used", "state", "error"}. Each finds what those before it left.

import { readFileSync } from "node:fs";
import { createBlock } from "@ethereumjs/block";
import { Hardfork, Mainnet, createCustomCommon } from "@ethereumjs/common";
import { createLegacyTx } from "@ethereumjs/tx";
import { createAccount, createAddressFromPrivateKey, createAddressFromString, hexToBytes } from "@ethereumjs/util";
import { createVM, runTx } from "@ethereumjs/vm";

const asked = JSON.parse(readFileSync(process.argv[2], "utf8"));
const common = createCustomCommon({ chainId: 31337 }, Mainnet, { hardfork: Hardfork.Amsterdam });
const missing = [2780, 7778, 7976, 8037, 8038].filter((eip) => !common.isActivatedEIP(eip));
if (missing.length > 0) throw new Error(`no EIP ${missing}`);

const vm = await createVM({ common });
const key = hexToBytes(asked.key);
const sender = createAddressFromPrivateKey(key);
await vm.stateManager.putAccount(sender, createAccount({ balance: 10n ** 30n }));
for (const [address, code] of Object.entries(asked.codes)) {
  const at = createAddressFromString(address);
  await vm.stateManager.putAccount(at, createAccount({ nonce: 1n }));
  await vm.stateManager.putCode(at, hexToBytes(code));
}

const header = { number: 1n, gasLimit: BigInt(asked.block_gas), baseFeePerGas: 7n };
const results = [];
for (const [nonce, { to, data, gas }] of asked.calls.entries()) {
  const fields = { nonce: BigInt(nonce), gasPrice: 7n, gasLimit: BigInt(gas), to, data };
  const tx = createLegacyTx(fields, { common }).sign(key);
  const block = createBlock({ header }, { common, skipConsensusFormatValidation: true });
  const done = await runTx(vm, { tx, block });
  results.push({
    used: Number(done.totalGasSpent),
    state: Number(done.txStateGas),
    error: done.execResult.exceptionError?.error ?? null,
  });
}
console.log(JSON.stringify(results));
