// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title LedgerAccount: the contract behind a derived address of a ledger
/// @notice A derived address holds tokens before it has any code. Once the registrar of the account has authorised an
/// owner, AccountFactory puts this contract there, and the owner spends through it.
/// @dev These bytes are part of the formats of the ledger: the hash of the creation code is an input of every derived
/// address. They are final. No library, no metadata hash, no constructor argument, no delegatecall, no self-destruct,
/// no upgrade: what is deployed can do what is written here, for ever.
///
/// WARNING: the owner can move everything the account holds, at once and alone. Nobody can undo or recover that.
/// WARNING: an owner is an address on one chain. An owner that is a contract must be under the same control on each
/// chain on which the account is deployed: who deploys another contract at that address there, owns the account there.
contract LedgerAccount {
    /// @notice The caller is not the owner.
    error NotOwner(address caller);

    /// @notice The caller is not the one to whom ownership was offered.
    error NotPendingOwner(address caller);

    /// @notice The caller is not the factory that deployed this account.
    error NotFactory(address caller);

    /// @notice The account has an owner already: `initialize` works once.
    error AlreadyInitialized(address owner);

    /// @notice The account cannot be its own owner: nobody could ever move what it holds.
    error InvalidOwner(address owner);

    /// @notice Ownership was offered to `pendingOwner`; zero withdraws the offer.
    event OwnershipTransferStarted(address indexed owner, address indexed pendingOwner);

    /// @notice `newOwner` owns the account from now on.
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    /// @notice The owner made the account call `target`.
    event Executed(address indexed target, uint256 value);

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant MESSAGE_TYPEHASH = keccak256("LedgerAccountMessage(bytes32 hash)");
    bytes32 private constant NAME_HASH = keccak256("LedgerAccount");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @dev ERC-1271's answer for a valid signature: `isValidSignature.selector`.
    bytes4 private constant VALID = 0x1626ba7e;
    bytes4 private constant INVALID = 0xffffffff;

    /// @dev Half the order of secp256k1: a larger `s` is the other form of a signature that also exists (EIP-2).
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Who deployed this account, and alone may initialise it.
    address public immutable factory;

    /// @notice Who moves what the account holds; never zero, once initialised.
    address public owner;

    /// @notice To whom ownership was offered; zero if to nobody.
    address public pendingOwner;

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor() {
        factory = msg.sender;
    }

    /// @notice The account takes ETH from anybody.
    receive() external payable {}

    /// @notice Names the first owner; AccountFactory calls it in the transaction that deploys the account.
    function initialize(address firstOwner) external {
        if (msg.sender != factory) revert NotFactory(msg.sender);
        if (owner != address(0)) revert AlreadyInitialized(owner);
        owner = firstOwner;
        emit OwnershipTransferred(address(0), firstOwner);
    }

    /// @notice Calls `target` with `value` wei and `data`; gives back what it returns, or reverts as it reverts.
    /// @dev A call to an address without code succeeds, as every call of the EVM does: look first. WARNING: the owner
    /// moves everything that the account holds with it.
    function execute(address target, uint256 value, bytes calldata data)
        external
        payable
        onlyOwner
        returns (bytes memory result)
    {
        emit Executed(target, value);
        bool success;
        (success, result) = target.call{value: value}(data);
        if (!success) {
            // Memory-safe: reads the revert data, which Solidity has put at `result`, and ends the call.
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    /// @notice Offers ownership to `newOwner`, who has it after `acceptOwnership`; zero withdraws the offer.
    /// @dev WARNING: who accepts has everything that the account holds, and the owner before nothing.
    function transferOwnership(address newOwner) external onlyOwner {
        if (newOwner == address(this)) revert InvalidOwner(newOwner);
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    /// @notice Takes ownership that was offered to the caller.
    /// @dev WARNING: everything that the account holds is the caller's from now on.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    /// @notice ERC-1271: 0x1626ba7e if `signature` is the owner's over `messageDigest(hash)`, else 0xffffffff.
    /// @dev The owner signs the digest of this account on this chain, not `hash` itself: one signature can serve
    /// neither another account of the same owner nor the same account on another chain.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return _isSignedBy(owner, messageDigest(hash), signature) ? VALID : INVALID;
    }

    /// @notice What the owner signs so that `isValidSignature(hash, ...)` accepts: the EIP-712 digest of
    /// LedgerAccountMessage(bytes32 hash) in the domain ("LedgerAccount", "1", chain id, this account).
    function messageDigest(bytes32 hash) public view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(MESSAGE_TYPEHASH, hash))));
    }

    /// @notice ERC-721: the account takes every token.
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC721Received.selector;
    }

    /// @notice ERC-1155: the account takes every token.
    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC1155Received.selector;
    }

    /// @notice ERC-1155: the account takes every batch of tokens.
    function onERC1155BatchReceived(
        address,
        address,
        uint256[] calldata,
        uint256[] calldata,
        bytes calldata
    ) external pure returns (bytes4) {
        return this.onERC1155BatchReceived.selector;
    }

    /// @notice ERC-165: itself, ERC-1271, and the receivers of ERC-721 and ERC-1155.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == 0x01ffc9a7 || interfaceId == VALID || interfaceId == 0x150b7a02
            || interfaceId == 0x4e2312e0;
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
