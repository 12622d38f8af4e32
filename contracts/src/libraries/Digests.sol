// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Digests: the ids of the ledger, as its formats define them (EIP-712)
library Digests {
    /// @dev The deployed AccountFactory; contracts/compile.mjs checks both constants against the compiled bytes.
    address internal constant FACTORY = 0x4e340797EC185E74d64BbaB4238b2bA2a86E842D;

    /// @dev keccak-256 of the creation code of LedgerAccount.
    bytes32 internal constant INIT_CODE_HASH = 0xa03c0e65ba3eb535008f1f9676ec6917a16af526720f74e6ae90831ef1c86491;

    bytes32 private constant DOMAIN_TYPEHASH = keccak256("EIP712Domain(string name,string version,bytes32 salt)");
    bytes32 private constant ASSET_TYPEHASH = keccak256("Asset(string symbol,string name,uint8 decimals)");
    bytes32 private constant ACCOUNT_TYPEHASH = keccak256("Account(bytes32 ledger,bytes32 key,address registrar)");
    bytes32 private constant BATCH_TYPEHASH = keccak256(
        "Batch(bytes32 asset,uint64 number,uint64 firstSeq,uint64 lastSeq,bytes32 prevHead,bytes32 newHead,bytes32 treeRoot,bytes32 payloadHash)"
    );
    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("Claim(bytes32 key,address wallet,uint256 nonce,uint256 deadline)");

    struct Batch {
        bytes32 asset;
        uint64 number;
        uint64 firstSeq;
        uint64 lastSeq;
        bytes32 prevHead;
        bytes32 newHead;
        bytes32 treeRoot;
        bytes32 payloadHash;
    }

    /// @dev The ledger's domain separator: EIP712Domain("evm-ledger", "1", salt = ledgerId).
    function ledgerDomain(bytes32 ledgerId) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("evm-ledger"), keccak256("1"), ledgerId));
    }

    /// @dev The asset id: hashStruct of Asset.
    function assetId(string memory symbol, string memory name, uint8 decimals) internal pure returns (bytes32) {
        return keccak256(abi.encode(ASSET_TYPEHASH, keccak256(bytes(symbol)), keccak256(bytes(name)), decimals));
    }

    /// @dev head_0 = history_0 = keccak(domain separator || asset id).
    function firstHead(bytes32 domain, bytes32 asset) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(domain, asset));
    }

    /// @dev history_n = keccak(history_{n-1} || batch id).
    function nextHistory(bytes32 history, bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(history, id));
    }

    /// @dev The batch id: the EIP-712 digest of Batch in the ledger's domain.
    function batchId(bytes32 domain, Batch memory batch) internal pure returns (bytes32) {
        return digest(domain, keccak256(abi.encode(BATCH_TYPEHASH, batch)));
    }

    /// @dev hashStruct of Claim.
    function claim(bytes32 key, address wallet, uint256 nonce, uint256 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLAIM_TYPEHASH, key, wallet, nonce, deadline));
    }

    /// @dev The derived address: CREATE2 by the factory with struct Account as salt.
    function account(bytes32 ledgerId, bytes32 key, address registrar) internal pure returns (address) {
        bytes32 salt = keccak256(abi.encode(ACCOUNT_TYPEHASH, ledgerId, key, registrar));
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", FACTORY, salt, INIT_CODE_HASH));
        return address(uint160(uint256(hash)));
    }

    /// @dev EIP-712: keccak(0x19 || 0x01 || domain separator || hashStruct).
    function digest(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
