// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LedgerAccount} from "./LedgerAccount.sol";

/// @title AccountFactory: puts a LedgerAccount at the derived address of an account
/// @notice The address of an account follows from its ledger, its key and its registrar alone, on every chain. Anybody
/// may send the deployment; only the registrar decides who owns what is deployed.
/// @dev These bytes are part of the formats of the ledger: the factory's address, which follows from them through the
/// deterministic deployment proxy, is an input of every derived address. They are final. Nothing is imported but the
/// account itself. The factory has no owner, no state and no power over an account once it is deployed.
///
/// WARNING: the registrar can give any account that is not deployed yet, with all it holds, to anybody. Until then
/// everything at a derived address is in the registrar's custody.
/// WARNING: an authorisation holds until its deadline and cannot be taken back; only another one, sent first, stops it.
/// WARNING: a registrar is an address on every chain. A registrar that is a contract must be under the same control on
/// each chain that has tokens of the ledger: who deploys another contract at that address there, is registrar there.
contract AccountFactory {
    /// @notice No signature can come from this registrar, so it can authorise nothing.
    error InvalidRegistrar(address registrar);

    /// @notice The account would belong to nobody (zero) or to itself, and what it holds would be lost.
    error InvalidOwner(address owner);

    /// @notice The authorisation ended at `deadline`, in seconds since 1970.
    error DeploymentExpired(uint256 deadline);

    /// @notice The account is deployed already.
    error AccountExists(address account);

    /// @notice The signature is not the registrar's over `deployDigest(...)`.
    error InvalidSignature(address registrar);

    /// @notice The account of (ledger, key, registrar) is deployed, and belongs to `owner`.
    event AccountDeployed(
        address indexed account, bytes32 indexed ledger, bytes32 indexed key, address registrar, address owner
    );

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ACCOUNT_TYPEHASH = keccak256("Account(bytes32 ledger,bytes32 key,address registrar)");
    bytes32 private constant DEPLOY_TYPEHASH =
        keccak256("Deploy(bytes32 ledger,bytes32 key,address registrar,address owner,uint256 deadline)");
    bytes32 private constant NAME_HASH = keccak256("AccountFactory");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @dev ERC-1271's answer for a valid signature.
    bytes4 private constant VALID = 0x1626ba7e;

    /// @dev Half the order of secp256k1: a larger `s` is the other form of a signature that also exists (EIP-2).
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice keccak-256 of the creation code of LedgerAccount.
    bytes32 public immutable initCodeHash;

    constructor() {
        initCodeHash = keccak256(type(LedgerAccount).creationCode);
    }

    /// @notice Deploys the account of (`ledger`, `key`, `registrar`) for `owner`, as its registrar has authorised.
    /// @dev Anybody may send it. WARNING: the registrar alone decides the owner, and with it who has all that the account
    /// holds.
    /// @param ledger The id of the ledger.
    /// @param key The key of the account: keccak(blind || account_id), so that it reveals no name.
    /// @param registrar Who authorises, a key or a contract (ERC-1271); not zero.
    /// @param owner Who owns the account from now on; neither zero nor the account.
    /// @param deadline The last second, since 1970, at which the authorisation holds.
    /// @param signature The registrar's signature of `deployDigest(ledger, key, registrar, owner, deadline)`.
    /// @return account The address of the account.
    function deploy(
        bytes32 ledger,
        bytes32 key,
        address registrar,
        address owner,
        uint256 deadline,
        bytes calldata signature
    ) external returns (address account) {
        if (registrar == address(0)) revert InvalidRegistrar(registrar);
        account = addressOf(ledger, key, registrar);
        if (owner == address(0) || owner == account) revert InvalidOwner(owner);
        if (block.timestamp > deadline) revert DeploymentExpired(deadline);
        if (account.code.length != 0) revert AccountExists(account);
        bytes32 digest = deployDigest(ledger, key, registrar, owner, deadline);
        if (!_isSignedBy(registrar, digest, signature)) revert InvalidSignature(registrar);

        new LedgerAccount{salt: _salt(ledger, key, registrar)}().initialize(owner);
        emit AccountDeployed(account, ledger, key, registrar, owner);
    }

    /// @notice The address of an account, deployed or not: CREATE2 of struct Account, the same on every chain.
    function addressOf(bytes32 ledger, bytes32 key, address registrar) public view returns (address) {
        bytes32 hash =
            keccak256(abi.encodePacked(hex"ff", address(this), _salt(ledger, key, registrar), initCodeHash));
        return address(uint160(uint256(hash)));
    }

    /// @notice What a registrar signs: the EIP-712 digest of Deploy(bytes32 ledger,bytes32 key,address registrar,
    /// address owner,uint256 deadline) in the domain ("AccountFactory", "1", chain id, this factory).
    /// @dev The registrar is in it, so that a signature of one key cannot serve two contracts which that key controls;
    /// there is no nonce, because an account is deployed once.
    function deployDigest(bytes32 ledger, bytes32 key, address registrar, address owner, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        bytes32 message = keccak256(abi.encode(DEPLOY_TYPEHASH, ledger, key, registrar, owner, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    /// @dev hashStruct of Account(bytes32 ledger,bytes32 key,address registrar): the salt of CREATE2.
    function _salt(bytes32 ledger, bytes32 key, address registrar) private pure returns (bytes32) {
        return keccak256(abi.encode(ACCOUNT_TYPEHASH, ledger, key, registrar));
    }

    /// @dev A key's signature (65 bytes r, s, v; low s; v 27 or 28), or the answer of a contract (ERC-1271). The key
    /// comes first, because the address of a key can have code too (EIP-7702).
    function _isSignedBy(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        if (signature.length == 65) {
            bytes32 r = bytes32(signature[:32]);
            bytes32 s = bytes32(signature[32:64]);
            uint8 v = uint8(signature[64]);
            if (uint256(s) <= MAX_S && (v == 27 || v == 28)) {
                address recovered = ecrecover(digest, v, r, s);
                if (recovered != address(0) && recovered == signer) return true;
            }
        }
        if (signer.code.length == 0) return false;
        (bool success, bytes memory answer) =
            signer.staticcall(abi.encodeWithSelector(VALID, digest, signature));
        return success && answer.length >= 32 && abi.decode(answer, (bytes32)) == bytes32(VALID);
    }
}
