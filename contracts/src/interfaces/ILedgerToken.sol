// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ILedgerToken: one asset of a ledger, as an ERC-20 token
/// @notice The token lives in two phases.
///
/// Mirror: the operator replays the entries of the ledger, batch by batch, and nobody moves anything: transfer,
/// transferFrom, approve, permit and claim revert.
///
/// Live: after `finalize`, for ever. A plain ERC-20 with EIP-2612 and a fixed supply; the operator is gone.
///
/// WARNING: while the token mirrors, the operator can mint, burn and move any balance: the token is as true as the
/// ledger it mirrors, and `history` is how to check it. Nothing of that is possible once the token is live.
/// WARNING: the registrar of an account can, once the token is live, move everything at its derived address to any
/// wallet, until the account is deployed: that balance is in the registrar's custody.
/// WARNING: `finalize` cannot be undone; a token whose operator is lost before it mirrors for ever.
///
/// The balance of an account lies in the storage slot keccak256(address (20 bytes) || 0x000000000000000087a211a2), the
/// total supply in the slot 0x05345cdf77eb68f44c (the layout of Solady's ERC20), for storage proofs (EIP-1186).
interface ILedgerToken {
    // ------------------------------------------------------------------------------------------------------ Errors

    /// @notice Only the operator may do this.
    error NotOperator(address caller);

    /// @notice Only the one to whom the operator's part was offered may take it.
    error NotPendingOperator(address caller);

    /// @notice A token without an operator could never be replayed.
    error InvalidOperator(address operator);

    /// @notice Not while the token mirrors the ledger.
    error OnlyLive();

    /// @notice Not any more: the token is live.
    error OnlyMirror();

    /// @notice The contract is at `history`, the caller believed it at `given`.
    error StaleHistory(bytes32 history, bytes32 given);

    /// @notice The contract is at entry `lastSeq`, the caller believed it at `given`.
    error WrongLastSeq(uint64 lastSeq, uint64 given);

    /// @notice The debit of a record is above the balance of its account at that record; zero is the issuer, whose
    /// balance is what may still be minted, 2**256 - 1 - total supply. Records count from 0.
    error Overdraft(uint256 record, address account, uint256 balance, uint256 amount);

    /// @notice The payload ends before its header, table or records do, or after: it has `length` bytes, not `needed`.
    error PayloadLength(uint256 length, uint256 needed);

    /// @notice The payload's version is not 1.
    error PayloadVersion(uint256 version);

    /// @notice No amount below 2**256 has 10**scaleExp as a divisor, but zero.
    error ScaleTooLarge(uint256 scaleExp);

    /// @notice A larger scale divides every amount, or every amount is zero and the scale is not.
    error ScaleNotLargest(uint256 scaleExp);

    /// @notice A table has at least two addresses, since no record is from zero to zero.
    error TableTooShort(uint256 accounts);

    /// @notice The table does not begin with address zero.
    error FirstAddressNotZero(address first);

    /// @notice The address at `index` of the table is not above the one before.
    error AddressNotAscending(uint256 index, address account);

    /// @notice No record names the address at `index` of the table.
    error AddressUnused(uint256 index, address account);

    /// @notice The header names no record.
    error NoRecords();

    /// @notice An index of the record is not in the table.
    error IndexOutOfRange(uint256 record, uint256 from, uint256 to);

    /// @notice The record is from the issuer to the issuer.
    error IssuerToIssuer(uint256 record);

    /// @notice The length of the mantissa is not 1 to 32.
    error MantissaLength(uint256 record, uint256 length);

    /// @notice The mantissa has a leading zero byte.
    error MantissaNotMinimal(uint256 record, uint256 length);

    /// @notice mantissa * 10**scaleExp is 2**256 or more.
    error AmountOverflow(uint256 record, uint256 mantissa, uint256 scaleExp);

    /// @notice No signature can come from this registrar, so it can authorise nothing.
    error InvalidRegistrar(address registrar);

    /// @notice Tokens cannot be claimed to address zero.
    error InvalidWallet(address wallet);

    /// @notice The claim ended at `deadline`, in seconds since 1970.
    error ClaimExpired(uint256 deadline);

    /// @notice The account is deployed: its owner moves what it holds, the registrar no longer.
    error AccountDeployed(address account);

    /// @notice The account holds nothing.
    error NothingToClaim(address account);

    /// @notice The signature is not the registrar's over this claim.
    error InvalidSignature(address registrar);

    /// @notice ERC-6093: tokens cannot come from `sender` (address zero).
    error ERC20InvalidSender(address sender);

    /// @notice ERC-6093: tokens cannot go to `receiver` (address zero); the supply is fixed.
    error ERC20InvalidReceiver(address receiver);

    // ------------------------------------------------------------------------------------------------------ Events

    /// @notice A batch was replayed; its Transfer events, in the order of its entries, come right before.
    /// @param number The batch's number on this contract: 1, 2, 3, ...
    /// @param firstSeq The seq of the batch's first entry.
    /// @param lastSeq The seq of the batch's last entry.
    /// @param prevHead The ledger's head before the batch.
    /// @param newHead The ledger's head after the batch, as the operator states it.
    /// @param treeRoot The root of the tree over all entries up to lastSeq, as the operator states it.
    /// @param payloadHash keccak-256 of the payload.
    /// @param history The contract's history after the batch.
    event BatchReplayed(
        uint64 indexed number,
        uint64 firstSeq,
        uint64 lastSeq,
        bytes32 prevHead,
        bytes32 newHead,
        bytes32 treeRoot,
        bytes32 payloadHash,
        bytes32 history
    );

    /// @notice The token is live.
    event Finalized(bytes32 history, bytes32 head, uint64 lastSeq);

    /// @notice The operator's part was offered to `pendingOperator`; zero withdraws the offer.
    event OperatorTransferStarted(address indexed operator, address indexed pendingOperator);

    /// @notice `newOperator` is operator from now on; zero when the token went live.
    event OperatorTransferred(address indexed previousOperator, address indexed newOperator);

    /// @notice The balance of the derived address `account` went to `wallet`.
    event Claimed(
        address indexed account, address indexed registrar, address indexed wallet, bytes32 key, uint256 amount
    );

    // --------------------------------------------------------------------------------------------------- Functions

    /// @notice Applies the next entries of the ledger: one Transfer a record, in order.
    /// @dev Mirror phase, operator only. Every record is checked against the exact balances at that record, the
    /// issuer's being 2**256 - 1 - total supply. Accepts a payload in its one canonical form (payload v1) only.
    /// WARNING: the contract computes payloadHash, number, firstSeq, lastSeq, the batch id and history itself; newHead
    /// and treeRoot are the operator's statement, to be compared with the ledger's export.
    /// @param prevHistory The contract's history, so that a batch sent twice is refused the second time.
    /// @param newHead The ledger's head after the last record.
    /// @param treeRoot The root of the tree over all entries up to the last record.
    /// @param payload The records, as payload v1.
    function replay(bytes32 prevHistory, bytes32 newHead, bytes32 treeRoot, bytes calldata payload) external;

    /// @notice Makes the token live, for ever.
    /// @dev Mirror phase, operator only. WARNING: cannot be undone; the operator loses every power.
    /// @param expectedHistory The contract's history: that of the whole ledger, as the operator knows it.
    /// @param expectedLastSeq The seq of the ledger's last entry.
    function finalize(bytes32 expectedHistory, uint64 expectedLastSeq) external;

    /// @notice Moves the whole balance of a derived address to the wallet that its registrar authorised.
    /// @dev Live phase; anybody may send it. The registrar signs Claim(bytes32 key,address wallet,uint256 nonce,uint256
    /// deadline) in the token's domain (its name, "1", chain id, this contract); the nonce is `claimNonces(account)`.
    /// WARNING: the registrar alone decides the wallet. A claim that is signed holds until its deadline and cannot be
    /// taken back; only another one, sent first, stops it. A registrar that is a contract must bind what it signs to
    /// itself (as Safe does), else a signature for one serves every contract of the same key.
    /// @param key The key of the account: keccak(blind || account_id).
    /// @param registrar The registrar of the account, a key or a contract (ERC-1271); not zero.
    /// @param wallet Who receives; not zero.
    /// @param deadline The last second, since 1970, at which the claim holds.
    /// @param signature The registrar's: 65 bytes r, s, v with low s and v 27 or 28, or what the contract wants.
    /// @return amount What was moved, in base units.
    function claim(bytes32 key, address registrar, address wallet, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 amount);

    /// @notice Offers the operator's part to `newOperator`, who has it after `acceptOperator`; zero withdraws it.
    /// @dev Mirror phase, operator only. WARNING: who accepts has every power of the operator, alone and at once; until
    /// then the operator keeps it.
    function transferOperator(address newOperator) external;

    /// @notice Takes the operator's part that was offered to the caller.
    /// @dev Mirror phase. WARNING: the caller can replay anything and finalize from now on, the operator before nothing.
    function acceptOperator() external;

    /// @notice Whether the token is live; if not, it mirrors.
    function live() external view returns (bool);

    /// @notice Who replays; zero once the token is live.
    function operator() external view returns (address);

    /// @notice To whom the operator's part was offered; zero if to nobody.
    function pendingOperator() external view returns (address);

    /// @notice The number of batches replayed.
    function batchCount() external view returns (uint64);

    /// @notice The seq of the last entry replayed; 0 before the first.
    function lastSeq() external view returns (uint64);

    /// @notice history_0 = head_0, history_n = keccak(history_{n-1} || batch id): equal history, equal payloads.
    function history() external view returns (bytes32);

    /// @notice The ledger's head after the last entry replayed, as the operator stated it; head_0 before the first.
    function head() external view returns (bytes32);

    /// @notice The id of the ledger.
    function ledgerId() external view returns (bytes32);

    /// @notice The id of the asset: struct Asset(string symbol,string name,uint8 decimals).
    function assetId() external view returns (bytes32);

    /// @notice The EIP-712 domain of the ledger, in which batches have their ids.
    function ledgerDomainSeparator() external view returns (bytes32);

    /// @notice The nonce of the next claim from `account`.
    function claimNonces(address account) external view returns (uint256);

    /// @notice What the registrar signs to authorise the next claim from its account of `key`.
    function claimDigest(bytes32 key, address registrar, address wallet, uint256 deadline)
        external
        view
        returns (bytes32);

    /// @notice The derived address of the account of `key` and `registrar`.
    function accountOf(bytes32 key, address registrar) external view returns (address);

    /// @notice The AccountFactory of the formats, an input of every derived address.
    function factory() external view returns (address);

    /// @notice keccak-256 of the creation code of LedgerAccount, an input of every derived address.
    function initCodeHash() external view returns (bytes32);
}
