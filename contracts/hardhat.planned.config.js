// Hardhat with what it has of the next upgrade: EIP-7976, and the state gas of EIP-8037. It still applies the cap of a
// transaction to both kinds of gas together, so the cap is off.
const network = { type: "edr-simulated", chainId: 31337, hardfork: "amsterdam", transactionGasCap: 100_000_000 };

export default { networks: { default: network, node: network } };
