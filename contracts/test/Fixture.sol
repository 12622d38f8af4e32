// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../src/interfaces/ILedgerToken.sol";
import {vm} from "./Vm.sol";

interface IToken is ILedgerToken {
    function totalSupply() external view returns (uint256);
    function balanceOf(address holder) external view returns (uint256);
    function allowance(address holder, address spender) external view returns (uint256);
    function nonces(address holder) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
    function permit(address owner, address spender, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

interface IFactory {
    function deploy(
        bytes32 ledger,
        bytes32 key,
        address registrar,
        address owner,
        uint256 deadline,
        bytes calldata signature
    ) external returns (address account);
    function addressOf(bytes32 ledger, bytes32 key, address registrar) external view returns (address);
}

interface IAccount {
    function owner() external view returns (address);
    function pendingOwner() external view returns (address);
    function initialize(address firstOwner) external;
    function execute(address target, uint256 value, bytes calldata data) external payable returns (bytes memory);
    function transferOwnership(address newOwner) external;
    function acceptOwnership() external;
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

/// @dev What a batch id commits to.
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

/// @title Fixture: the committed artifacts, deployed as the bridge deploys them, and the digests people sign
/// @dev Nothing here is taken from src/ but the interface: what runs are the bytes that are published, and a digest is
/// computed a second time from its definition.
abstract contract Fixture {
    address internal constant PROXY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;
    bytes internal constant PROXY_CODE =
        hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";
    string internal constant ARTIFACTS = "../bridge/artifacts/";

    bytes32 internal constant LEDGER = keccak256("a ledger");
    string internal constant NAME = "Fuzzed points";
    string internal constant SYMBOL = "FZZ";

    IToken internal token;
    IFactory internal factory;
    bytes32 internal initCodeHash;

    /// @dev Puts the factory at its address and a token of `operator` at its own.
    function deployAll(address operator) internal {
        deployAll(operator, "LedgerToken");
    }

    function deployAll(address operator, string memory version) internal {
        string memory formats = vm.readFile(string.concat(ARTIFACTS, "formats.json"));
        initCodeHash = vm.parseJsonBytes32(formats, ".initCodeHash");
        vm.etch(PROXY, PROXY_CODE);
        factory = IFactory(_deploy(creationCode("AccountFactory"), 0));
        vm.assertEq(address(factory), vm.parseJsonAddress(formats, ".factory"), "the factory is elsewhere");
        bytes memory arguments = abi.encode(LEDGER, SYMBOL, NAME, uint8(6), operator);
        token = IToken(_deploy(bytes.concat(creationCode(version), arguments), bytes32(bytes20(address(this)))));
    }

    function creationCode(string memory name) internal view returns (bytes memory) {
        string memory document = vm.readFile(string.concat(ARTIFACTS, name, ".json"));
        return vm.parseJsonBytes(document, ".bytecode");
    }

    /// @dev Deploys through the proxy, unless it is there already.
    function _deploy(bytes memory code, bytes32 salt) private returns (address made) {
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", PROXY, salt, keccak256(code)));
        made = address(uint160(uint256(hash)));
        if (made.code.length != 0) return made;
        (bool success, bytes memory answer) = PROXY.call(bytes.concat(salt, code));
        vm.assertTrue(success && address(bytes20(answer)) == made, "the proxy did not deploy");
    }

    /// @dev The address of an account, from its definition: CREATE2 by the factory.
    function derived(bytes32 key, address registrar) internal view returns (address) {
        bytes32 typeHash = keccak256("Account(bytes32 ledger,bytes32 key,address registrar)");
        bytes32 salt = keccak256(abi.encode(typeHash, LEDGER, key, registrar));
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", address(factory), salt, initCodeHash));
        return address(uint160(uint256(hash)));
    }

    // ---------------------------------------------------------------------------------------------------- Digests

    function domainOf(string memory name, address where) internal view returns (bytes32) {
        bytes32 typeHash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(typeHash, keccak256(bytes(name)), keccak256("1"), block.chainid, where));
    }

    function digestIn(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function claimDigest(bytes32 key, address wallet, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash = keccak256("Claim(bytes32 key,address wallet,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, key, wallet, nonce, deadline));
        return digestIn(domainOf(NAME, address(token)), structHash);
    }

    function permitDigest(address owner, address spender, uint256 amount, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, owner, spender, amount, nonce, deadline));
        return digestIn(domainOf(NAME, address(token)), structHash);
    }

    function deployDigest(bytes32 key, address registrar, address owner, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash =
            keccak256("Deploy(bytes32 ledger,bytes32 key,address registrar,address owner,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, LEDGER, key, registrar, owner, deadline));
        return digestIn(domainOf("AccountFactory", address(factory)), structHash);
    }

    function batchId(Batch memory batch) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Batch(bytes32 asset,uint64 number,uint64 firstSeq,uint64 lastSeq,bytes32 prevHead,bytes32 newHead,bytes32 treeRoot,bytes32 payloadHash)"
        );
        return digestIn(ledgerDomain(), keccak256(abi.encode(typeHash, batch)));
    }

    function assetId() internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("Asset(string symbol,string name,uint8 decimals)");
        return keccak256(abi.encode(typeHash, keccak256(bytes(SYMBOL)), keccak256(bytes(NAME)), uint8(6)));
    }

    function ledgerDomain() internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("EIP712Domain(string name,string version,bytes32 salt)");
        return keccak256(abi.encode(typeHash, keccak256("evm-ledger"), keccak256("1"), LEDGER));
    }

    function sign(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }
}
