// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDeferral} from "./interfaces/IDeferral.sol";
import {ILedgerToken} from "./interfaces/ILedgerToken.sol";
import {LedgerToken} from "./LedgerToken.sol";
import {Fingerprint} from "./libraries/Fingerprint.sol";
import {PayloadV1} from "./libraries/PayloadV1.sol";

/// @title LedgerTokenDeferred: a LedgerToken that can also replay a long history first and settle its balances after
/// @dev Documented in ILedgerToken and IDeferral. Without a deferral it does exactly what LedgerToken does.
contract LedgerTokenDeferred is LedgerToken, IDeferral {
    // ----------------------------------------------------------------------------------------------------- Storage

    Deferral private _deferral;

    // --------------------------------------------------------------------------------------------------- Modifiers

    modifier onlySettled() {
        if (deferring()) revert NotSettled();
        _;
    }

    // ------------------------------------------------------------------------------------------------- Constructor

    constructor(
        bytes32 ledgerId_,
        string memory symbol_,
        string memory name_,
        uint8 decimals_,
        address operator_
    ) LedgerToken(ledgerId_, symbol_, name_, decimals_, operator_) {}

    // ------------------------------------------------------------------------------------------------ Mirror phase

    /// @inheritdoc IDeferral
    function beginDeferral(bytes32 finalHistory, uint64 finalSeq, bytes32 settlement)
        external
        onlyMirror
        onlyOperator
    {
        if (deferring() && lastSeq != _deferral.fromSeq) revert NotSettled();
        if (finalSeq <= lastSeq) revert NothingToDefer(lastSeq, finalSeq);
        uint256 supply = super.totalSupply();
        if (supply > Fingerprint.LIMIT) revert SupplyTooLarge(supply, 0);
        _deferral = Deferral({
            finalHistory: finalHistory,
            settlement: settlement,
            seed: keccak256(abi.encode(history, finalHistory, settlement)),
            fingerprint: 0,
            volume: 0,
            lastAccount: address(0),
            fromSeq: lastSeq,
            finalSeq: finalSeq
        });
        emit DeferralBegun(lastSeq, finalSeq, finalHistory, settlement);
    }

    /// @inheritdoc ILedgerToken
    function replay(bytes32 prevHistory, bytes32 newHead, bytes32 treeRoot, bytes calldata payload)
        public
        override
    {
        if (deferring()) _replayDeferred(prevHistory, newHead, treeRoot, payload);
        else super.replay(prevHistory, newHead, treeRoot, payload);
    }

    /// @inheritdoc IDeferral
    function settle(bytes calldata rows, bytes32 rest) external onlyMirror {
        Deferral storage current = _deferral;
        // Also refused without a deferral: then finalSeq is 0, and the first entry has seq 1.
        if (!deferring() || lastSeq != current.finalSeq) revert NotReplayed(lastSeq, current.finalSeq);
        if (rows.length % Fingerprint.ROW != 0) revert RowsLength(rows.length);
        bytes32 found = Fingerprint.commitment(rows, rest);
        if (found != current.settlement) revert WrongRows(current.settlement, found);

        _settleRows(current, rows);
        current.settlement = rest;
        // Only the end of the list is zero: nobody can find rows whose hash is.
        if (rest == 0) _endDeferral(current);
    }

    /// @inheritdoc ILedgerToken
    function finalize(bytes32 expectedHistory, uint64 expectedLastSeq)
        public
        override
        onlySettled
    {
        super.finalize(expectedHistory, expectedLastSeq);
    }

    // ------------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IDeferral
    function deferring() public view returns (bool) {
        return _deferral.finalSeq != 0;
    }

    /// @inheritdoc IDeferral
    function deferral() external view returns (Deferral memory) {
        return _deferral;
    }

    /// @dev ERC-20; reverts while a deferral lasts.
    function balanceOf(address owner) public view override onlySettled returns (uint256) {
        return super.balanceOf(owner);
    }

    /// @dev ERC-20; reverts while a deferral lasts.
    function totalSupply() public view override onlySettled returns (uint256) {
        return super.totalSupply();
    }

    // ---------------------------------------------------------------------------------------------------- Internal

    /// @dev Replays a batch of a deferral: its events and its place in history, and what it moves in the fingerprint.
    function _replayDeferred(bytes32 prevHistory, bytes32 newHead, bytes32 treeRoot, bytes calldata payload)
        private
        onlyMirror
        onlyOperator
    {
        Deferral storage current = _deferral;
        if (prevHistory != history) revert StaleHistory(history, prevHistory);
        if (lastSeq == current.finalSeq) revert NotSettled();

        uint256[] memory table = PayloadV1.readTable(payload);
        uint256 volume = current.volume;
        (uint256 records, uint256 moved) = Fingerprint.sumRecords(payload, table, Fingerprint.LIMIT - volume);
        (uint256 folded, uint256 unused) = Fingerprint.fold(table, current.seed, current.fingerprint);
        if (unused != 0) revert AddressUnused(unused, address(uint160(table[2 * unused])));
        current.volume = volume + moved;
        current.fingerprint = folded;
        _recordBatch(records, newHead, treeRoot, keccak256(payload));
        if (lastSeq >= current.finalSeq && (lastSeq != current.finalSeq || history != current.finalHistory)) {
            revert WrongFinalHistory(current.finalHistory, history);
        }
    }

    /// @dev Writes the balance of each row, and the supply; takes what they change off the fingerprint.
    function _settleRows(Deferral storage current, bytes calldata rows) private {
        uint256 supply = super.totalSupply();
        uint256 fingerprint = current.fingerprint;
        bytes32 seed = current.seed;
        address last = current.lastAccount;
        for (uint256 position = 0; position < rows.length; position += Fingerprint.ROW) {
            (address account, uint256 balance) = Fingerprint.rowAt(rows, position);
            if (account <= last) revert RowNotAscending(account);
            last = account;
            uint256 old = _writeBalance(account, balance);
            // Not below zero: the supply is the sum of the balances settled so far and of those not settled yet.
            supply -= old;
            if (balance > Fingerprint.LIMIT - supply) revert SupplyTooLarge(supply, balance);
            supply += balance;
            fingerprint = Fingerprint.settleOne(fingerprint, seed, account, old, balance);
        }
        current.fingerprint = fingerprint;
        current.lastAccount = last;
        // The slot is Solady's own.
        assembly ("memory-safe") {
            sstore(TOTAL_SUPPLY_SLOT, supply)
        }
    }

    /// @dev Writes a balance and returns what it was.
    function _writeBalance(address account, uint256 amount) private returns (uint256 old) {
        // Memory-safe: writes scratch space (0x00 to 0x2c) only. The slot is Solady's own.
        assembly ("memory-safe") {
            mstore(0x0c, BALANCE_SLOT_SEED)
            mstore(0x00, account)
            let slot := keccak256(0x0c, 0x20)
            old := sload(slot)
            sstore(slot, amount)
        }
    }

    /// @dev Ends the deferral if the settled balances are what the records come to.
    function _endDeferral(Deferral storage current) private {
        if (current.fingerprint != 0) revert FingerprintDiffers(current.fingerprint);
        delete _deferral;
        emit DeferralSettled(lastSeq, history, super.totalSupply());
    }
}
