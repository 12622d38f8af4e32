// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "solady/src/tokens/ERC20.sol";
import {ILedgerToken} from "./interfaces/ILedgerToken.sol";
import {Digests} from "./libraries/Digests.sol";
import {PayloadV1} from "./libraries/PayloadV1.sol";
import {Signatures} from "./libraries/Signatures.sol";

/// @title LedgerToken: one asset of a ledger, as an ERC-20 token
/// @dev Documented in ILedgerToken. Solady's ERC20 is the base, because a replay writes its balance slots.
contract LedgerToken is ILedgerToken, ERC20 {
    /// @dev Solady's balance slot of an account is keccak256(address (20 bytes) || this seed (12 bytes)).
    uint256 internal constant BALANCE_SLOT_SEED = 0x87a211a2;

    /// @dev Solady's slot of the total supply.
    uint256 internal constant TOTAL_SUPPLY_SLOT = 0x05345cdf77eb68f44c;

    // ----------------------------------------------------------------------------------------------------- Storage

    /// @inheritdoc ILedgerToken
    bytes32 public immutable ledgerId;

    /// @inheritdoc ILedgerToken
    bytes32 public immutable assetId;

    /// @inheritdoc ILedgerToken
    bytes32 public immutable ledgerDomainSeparator;

    bytes32 private immutable _nameHash;
    uint8 private immutable _decimals;
    string private _name;
    string private _symbol;

    /// @inheritdoc ILedgerToken
    bytes32 public history;

    /// @inheritdoc ILedgerToken
    bytes32 public head;

    /// @inheritdoc ILedgerToken
    uint64 public batchCount;

    /// @inheritdoc ILedgerToken
    uint64 public lastSeq;

    /// @inheritdoc ILedgerToken
    bool public live;

    /// @inheritdoc ILedgerToken
    address public operator;

    /// @inheritdoc ILedgerToken
    address public pendingOperator;

    /// @inheritdoc ILedgerToken
    mapping(address account => uint256 nonce) public claimNonces;

    // --------------------------------------------------------------------------------------------------- Modifiers

    modifier onlyLive() {
        if (!live) revert OnlyLive();
        _;
    }

    modifier onlyMirror() {
        if (live) revert OnlyMirror();
        _;
    }

    modifier onlyOperator() {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        _;
    }

    // ------------------------------------------------------------------------------------------------- Constructor

    /// @dev Anybody may deploy it, so the address, which follows from these arguments, fixes everything: msg.sender
    /// has no part in it.
    constructor(
        bytes32 ledgerId_,
        string memory symbol_,
        string memory name_,
        uint8 decimals_,
        address operator_
    ) {
        if (operator_ == address(0)) revert InvalidOperator(operator_);
        ledgerId = ledgerId_;
        assetId = Digests.assetId(symbol_, name_, decimals_);
        ledgerDomainSeparator = Digests.ledgerDomain(ledgerId_);
        _nameHash = keccak256(bytes(name_));
        _decimals = decimals_;
        _name = name_;
        _symbol = symbol_;
        history = head = Digests.firstHead(ledgerDomainSeparator, assetId);
        operator = operator_;
        emit OperatorTransferred(address(0), operator_);
    }

    // ------------------------------------------------------------------------------------------------ Mirror phase

    /// @inheritdoc ILedgerToken
    function replay(bytes32 prevHistory, bytes32 newHead, bytes32 treeRoot, bytes calldata payload)
        public
        virtual
        onlyMirror
        onlyOperator
    {
        if (prevHistory != history) revert StaleHistory(history, prevHistory);

        uint256[] memory table = PayloadV1.readTable(payload);
        _loadBalances(table);
        uint256 records = PayloadV1.applyRecords(payload, table);
        _storeBalances(table);
        _recordBatch(records, newHead, treeRoot, keccak256(payload));
    }

    /// @inheritdoc ILedgerToken
    function finalize(bytes32 expectedHistory, uint64 expectedLastSeq) public virtual onlyMirror onlyOperator {
        if (expectedHistory != history) revert StaleHistory(history, expectedHistory);
        if (expectedLastSeq != lastSeq) revert WrongLastSeq(lastSeq, expectedLastSeq);
        live = true;
        pendingOperator = address(0);
        operator = address(0);
        emit OperatorTransferred(msg.sender, address(0));
        emit Finalized(history, head, lastSeq);
    }

    /// @inheritdoc ILedgerToken
    function transferOperator(address newOperator) external onlyMirror onlyOperator {
        pendingOperator = newOperator;
        emit OperatorTransferStarted(msg.sender, newOperator);
    }

    /// @inheritdoc ILedgerToken
    function acceptOperator() external onlyMirror {
        if (msg.sender != pendingOperator) revert NotPendingOperator(msg.sender);
        emit OperatorTransferred(operator, msg.sender);
        operator = msg.sender;
        pendingOperator = address(0);
    }

    // -------------------------------------------------------------------------------------------------- Live phase

    /// @inheritdoc ILedgerToken
    function claim(bytes32 key, address registrar, address wallet, uint256 deadline, bytes calldata signature)
        external
        onlyLive
        returns (uint256 amount)
    {
        if (registrar == address(0)) revert InvalidRegistrar(registrar);
        if (wallet == address(0)) revert InvalidWallet(wallet);
        if (block.timestamp > deadline) revert ClaimExpired(deadline);
        address account = accountOf(key, registrar);
        if (account.code.length != 0) revert AccountDeployed(account);
        amount = balanceOf(account);
        if (amount == 0) revert NothingToClaim(account);
        bytes32 digest = claimDigest(key, registrar, wallet, deadline);
        if (!Signatures.isSignedBy(registrar, digest, signature)) revert InvalidSignature(registrar);

        ++claimNonces[account];
        _transfer(account, wallet, amount);
        emit Claimed(account, registrar, wallet, key, amount);
    }

    /// @dev ERC-20, live phase.
    function transfer(address to, uint256 amount) public override onlyLive returns (bool) {
        if (to == address(0)) revert ERC20InvalidReceiver(to);
        return super.transfer(to, amount);
    }

    /// @dev ERC-20, live phase.
    function transferFrom(address from, address to, uint256 amount) public override onlyLive returns (bool) {
        if (from == address(0)) revert ERC20InvalidSender(from);
        if (to == address(0)) revert ERC20InvalidReceiver(to);
        return super.transferFrom(from, to, amount);
    }

    /// @dev ERC-20, live phase.
    function approve(address spender, uint256 amount) public override onlyLive returns (bool) {
        return super.approve(spender, amount);
    }

    /// @dev EIP-2612, live phase.
    function permit(
        address owner,
        address spender,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) public override onlyLive {
        super.permit(owner, spender, amount, deadline, v, r, s);
    }

    // ------------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc ILedgerToken
    function accountOf(bytes32 key, address registrar) public view returns (address) {
        return Digests.account(ledgerId, key, registrar);
    }

    /// @inheritdoc ILedgerToken
    function claimDigest(bytes32 key, address registrar, address wallet, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        uint256 nonce = claimNonces[accountOf(key, registrar)];
        return Digests.digest(DOMAIN_SEPARATOR(), Digests.claim(key, wallet, nonce, deadline));
    }

    /// @inheritdoc ILedgerToken
    function factory() external pure returns (address) {
        return Digests.FACTORY;
    }

    /// @inheritdoc ILedgerToken
    function initCodeHash() external pure returns (bytes32) {
        return Digests.INIT_CODE_HASH;
    }

    /// @dev ERC-20.
    function name() public view override returns (string memory) {
        return _name;
    }

    /// @dev ERC-20.
    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    /// @dev ERC-20.
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    // ---------------------------------------------------------------------------------------------------- Internal

    /// @dev Solady: the name never changes, so its hash is a constant of the domain.
    function _constantNameHash() internal view override returns (bytes32) {
        return _nameHash;
    }

    /// @dev Solady: Permit2 has the allowance that it was given, like everybody.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }

    /// @dev Reads each balance of the table once; the issuer's, in the first row, is what may still be minted.
    function _loadBalances(uint256[] memory table) internal view {
        table[1] = type(uint256).max - totalSupply();
        // Memory-safe: writes scratch space (0x00 to 0x2c) and the second word of each of the table's rows.
        assembly ("memory-safe") {
            mstore(0x0c, BALANCE_SLOT_SEED)
            let end := add(add(table, 32), shl(5, mload(table)))
            for { let row := add(table, 96) } lt(row, end) { row := add(row, 64) } {
                mstore(0x00, mload(row))
                mstore(add(row, 32), sload(keccak256(0x0c, 0x20)))
            }
        }
    }

    /// @dev Writes each balance of the table once, and the supply; refuses an account that no record has marked.
    function _storeBalances(uint256[] memory table) private {
        uint256 supply = type(uint256).max - table[1];
        uint256 unused;
        // Memory-safe: writes scratch space (0x00 to 0x2c) only. The slots are Solady's own; of a row's first word the
        // hash takes the address alone, the last 20 bytes.
        assembly ("memory-safe") {
            sstore(TOTAL_SUPPLY_SLOT, supply)
            mstore(0x0c, BALANCE_SLOT_SEED)
            let end := add(add(table, 32), shl(5, mload(table)))
            for { let row := add(table, 96) } lt(row, end) { row := add(row, 64) } {
                let account := mload(row)
                if iszero(byte(0, account)) {
                    unused := shr(6, sub(row, table))
                    break
                }
                mstore(0x00, account)
                sstore(keccak256(0x0c, 0x20), mload(add(row, 32)))
            }
        }
        if (unused != 0) revert AddressUnused(unused, address(uint160(table[2 * unused])));
    }

    /// @dev Folds the batch into the contract's history.
    function _recordBatch(uint256 records, bytes32 newHead, bytes32 treeRoot, bytes32 payloadHash) internal {
        uint64 firstSeq = lastSeq + 1;
        // The payload counts its records in 4 bytes, so `records` fits in 64 bits.
        lastSeq += uint64(records);
        Digests.Batch memory batch = Digests.Batch({
            asset: assetId,
            number: ++batchCount,
            firstSeq: firstSeq,
            lastSeq: lastSeq,
            prevHead: head,
            newHead: newHead,
            treeRoot: treeRoot,
            payloadHash: payloadHash
        });
        head = newHead;
        history = Digests.nextHistory(history, Digests.batchId(ledgerDomainSeparator, batch));
        emit BatchReplayed(
            batch.number, firstSeq, batch.lastSeq, batch.prevHead, newHead, treeRoot, payloadHash, history
        );
    }
}
