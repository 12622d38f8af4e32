// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDeferral: replay the events of a long history first, and write each balance once, at the end
/// @notice Between `beginDeferral` and the last `settle`, `replay` emits every Transfer and folds every batch into
/// history as ever, but reads and writes no balance. What the records move is summed in a fingerprint, to which the
/// settled balances must come: an argument of soundness is in docs/deferred.md.
/// @dev WARNING: while a deferral lasts, no record is compared with a balance: an account may be overdrawn in between,
/// as long as it ends where its settled balance is. Whoever reads the logs can see that; the contract does not.
/// WARNING: once a batch of it is replayed, the only way out of a deferral is to the history that was announced and to
/// the balances that were announced with it. An operator who announced anything else has a token that stays a mirror
/// without balances for ever.
interface IDeferral {
    struct Deferral {
        /// The history that the last batch must arrive at.
        bytes32 finalHistory;
        /// The commitment to the rows that are not settled yet.
        bytes32 settlement;
        /// What the weights of accounts are made from: keccak256(abi.encode(history, finalHistory, settlement)).
        bytes32 seed;
        /// What the records moved, less what the rows settled, weighed, modulo the prime.
        uint256 fingerprint;
        /// The sum of all amounts of the deferral.
        uint256 volume;
        /// The address of the last row that was settled.
        address lastAccount;
        /// The seq of the last entry before the deferral.
        uint64 fromSeq;
        /// The seq of its last entry; 0 if there is no deferral.
        uint64 finalSeq;
    }

    // ------------------------------------------------------------------------------------------------------ Errors

    /// @notice A deferral is under way, so balances are unknown and nothing may follow before they are settled.
    error NotSettled();

    /// @notice There is nothing to settle, or entries up to `finalSeq` are not all replayed.
    error NotReplayed(uint64 lastSeq, uint64 finalSeq);

    /// @notice A deferral must end after the last entry replayed.
    error NothingToDefer(uint64 lastSeq, uint64 finalSeq);

    /// @notice The last entry of the deferral arrives at another history than the one announced.
    error WrongFinalHistory(bytes32 announced, bytes32 history);

    /// @notice With record number `record` (from 0), the deferral moves more than 2**254 - 1.
    error VolumeTooLarge(uint256 record);

    /// @notice The total supply would be above 2**254 - 1: what is there before, and what is added.
    error SupplyTooLarge(uint256 supply, uint256 added);

    /// @notice These are not the next rows of the settlement that was announced.
    error WrongRows(bytes32 settlement, bytes32 found);

    /// @notice Rows have 52 bytes each: an address, and a balance of 32 bytes.
    error RowsLength(uint256 length);

    /// @notice The address of a row is not above that of the row before.
    error RowNotAscending(address account);

    /// @notice All rows are settled, and the balances are not what the records come to. Nothing can mend it.
    error FingerprintDiffers(uint256 fingerprint);

    // ------------------------------------------------------------------------------------------------------ Events

    /// @notice Entries after `fromSeq`, up to `finalSeq`, are replayed without balances from here on.
    event DeferralBegun(uint64 fromSeq, uint64 finalSeq, bytes32 finalHistory, bytes32 settlement);

    /// @notice Every balance is written, and is what the records up to `lastSeq` come to.
    event DeferralSettled(uint64 lastSeq, bytes32 history, uint256 totalSupply);

    // --------------------------------------------------------------------------------------------------- Functions

    /// @notice Announces a history and the balances that it comes to; from here on `replay` reads and writes none.
    /// @dev Mirror phase, operator only; again, with another announcement, as long as no batch has followed. WARNING:
    /// balanceOf and totalSupply revert from here until all is settled.
    /// @param finalHistory The contract's history after the entry `finalSeq`.
    /// @param finalSeq The seq of the last entry to replay without balances.
    /// @param settlement The commitment to the rows, address and new balance, of every account whose balance changes,
    /// addresses ascending: c_n = 0, c_(i-1) = keccak256(address_i (20 bytes) || balance_i (32 bytes) || c_i); this is
    /// c_0.
    function beginDeferral(bytes32 finalHistory, uint64 finalSeq, bytes32 settlement) external;

    /// @notice Writes the balances of the next rows; with the last ones, compares the fingerprint and ends the deferral.
    /// @dev Anybody may send it, any number of rows a call: only the rows announced are accepted, in their order.
    /// @param rows The rows, 52 bytes each.
    /// @param rest The commitment to the rows after these; 0 after the last.
    function settle(bytes calldata rows, bytes32 rest) external;

    /// @notice Whether a deferral is under way: balances are unknown.
    function deferring() external view returns (bool);

    /// @notice The deferral that is under way; all zero if there is none.
    function deferral() external view returns (Deferral memory);
}
