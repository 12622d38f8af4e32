// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDeferral} from "../interfaces/IDeferral.sol";
import {ILedgerToken} from "../interfaces/ILedgerToken.sol";
import {PayloadV1} from "./PayloadV1.sol";

/// @title Fingerprint: what records move and what rows settle, summed with a weight for each account modulo a prime
/// @dev weight(account) = keccak256(abi.encode(seed, account)); the issuer has none. Two lists of changes have one
/// fingerprint, with a seed made from both, with probability below 2**-254, or they are equal (docs/deferred.md). Of a
/// table's rows (see PayloadV1), the second word is here the net change of the account, in two's complement.
library Fingerprint {
    /// @dev The greatest prime below 2**256: 2**256 - 189.
    uint256 internal constant PRIME = 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff43;

    /// @dev What a deferral may move, and what may be settled, in all: two changes then differ by less than the prime.
    uint256 internal constant LIMIT = 2 ** 254 - 1;

    uint256 internal constant ROW = 52;

    /// @dev No room can be as much.
    uint256 private constant TOO_LITTLE = 2 ** 256 - 1;

    // As in PayloadV1: assembly takes literals only.
    uint256 private constant HEADER = 8;
    uint256 private constant ADDRESS = 2 ** 160 - 1;
    uint256 private constant TRANSFER = 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef;

    /// @dev Sums the records of a payload in the rows of `table`, each with its Transfer.
    /// @param room What may still be moved.
    /// @return records The number of records, at least one.
    /// @return moved The sum of their amounts, at most `room`.
    function sumRecords(bytes calldata payload, uint256[] memory table, uint256 room)
        internal
        returns (uint256 records, uint256 moved)
    {
        records = uint32(bytes4(payload[4:8]));
        if (records == 0) revert ILedgerToken.NoRecords();
        uint256 unit = PayloadV1.unitOf(payload);
        // Mantissas from here on: the sum of the amounts is at most `room` if that of the mantissas is at most this.
        room /= unit;
        (uint256 position, uint256 left, uint256 rest, uint256 remainders) = _sum(payload, table, records, room);
        if (rest == TOO_LITTLE) revert IDeferral.VolumeTooLarge(records - left);
        if (left != 0) PayloadV1.refuseRecord(payload, position, records - left, table);
        if (position != payload.length) revert ILedgerToken.PayloadLength(payload.length, position);
        if (remainders == 0) PayloadV1.checkScale(payload, table.length);
        moved = (room - rest) * unit;
    }

    /// @dev The loop of `sumRecords`; ends at the first record it cannot take.
    /// @return position Where it ended.
    /// @return left How many records it has not taken.
    /// @return rest What is left of `room`, in mantissas; TOO_LITTLE if that is why it ended.
    /// @return remainders Zero if ten divides every mantissa.
    function _sum(bytes calldata payload, uint256[] memory table, uint256 records, uint256 room)
        private
        returns (uint256 position, uint256 left, uint256 rest, uint256 remainders)
    {
        uint256 unit = PayloadV1.unitOf(payload);
        // Memory-safe: writes the scratch word 0 and rows of the table, which are compared with its last. Nothing
        // wraps: all amounts together are at most LIMIT, so every net change lies between -LIMIT and LIMIT. Calldata
        // past the payload may be read; the position then ends past the payload, which is refused.
        assembly ("memory-safe") {
            let rows := add(table, 32)
            let last := add(table, sub(shl(5, mload(table)), 32))
            position := add(payload.offset, add(HEADER, mul(10, mload(table))))
            rest := room
            for { left := records } left { left := sub(left, 1) } {
                let word := calldataload(position)
                let digits := calldataload(add(position, 5))
                // A row is 64 bytes: an index of 16 bits, six bits further left, is its offset.
                let from := add(rows, and(shr(234, word), 0x3fffc0))
                let to := add(rows, and(shr(218, word), 0x3fffc0))
                let length := byte(4, word)
                let shift := sub(256, shl(3, length))
                // An index out of range; issuer to issuer; length 0 (a shift of 256) or over 32 (the shift wraps);
                // more than one byte and the first is zero.
                if or(
                    or(or(gt(from, last), gt(to, last)), iszero(shr(224, word))),
                    or(gt(shift, 248), lt(digits, shl(248, gt(length, 1))))
                ) { break }
                let amount := shr(shift, digits)
                if gt(amount, rest) {
                    rest := TOO_LITTLE
                    break
                }
                rest := sub(rest, amount)
                if iszero(remainders) { remainders := mod(amount, 10) }
                amount := mul(amount, unit)
                let net := add(from, 32)
                mstore(net, sub(mload(net), amount))
                net := add(to, 32)
                mstore(net, add(mload(net), amount))
                mstore8(from, 1)
                mstore8(to, 1)
                mstore(0, amount)
                log3(0, 32, TRANSFER, and(mload(from), ADDRESS), and(mload(to), ADDRESS))
                position := add(add(position, 5), length)
            }
            position := sub(position, payload.offset)
        }
    }

    /// @dev Adds what the rows of `table` changed, weighed, to `fingerprint`.
    /// @return folded The new fingerprint.
    /// @return unused The index of the first account that no record names; zero if all are named.
    function fold(uint256[] memory table, bytes32 seed, uint256 fingerprint)
        internal
        pure
        returns (uint256 folded, uint256 unused)
    {
        // Memory-safe: writes scratch space (0x00 to 0x3f) only. A net change below zero is one of -LIMIT or above, and
        // PRIME is above LIMIT, so the sum wraps to the residue; mulmod reduces the weight.
        assembly ("memory-safe") {
            folded := fingerprint
            mstore(0x00, seed)
            let end := add(add(table, 32), shl(5, mload(table)))
            for { let row := add(table, 96) } lt(row, end) { row := add(row, 64) } {
                let account := mload(row)
                if iszero(byte(0, account)) {
                    unused := shr(6, sub(row, table))
                    break
                }
                mstore(0x20, and(account, ADDRESS))
                let net := mload(add(row, 32))
                if slt(net, 0) { net := add(net, PRIME) }
                folded := addmod(folded, mulmod(net, keccak256(0x00, 0x40), PRIME), PRIME)
            }
        }
    }

    /// @dev Takes the change of one balance, weighed, off `fingerprint`; both balances are at most LIMIT.
    function settleOne(uint256 fingerprint, bytes32 seed, address account, uint256 old, uint256 settled)
        internal
        pure
        returns (uint256 folded)
    {
        // Memory-safe: writes scratch space (0x00 to 0x3f) only. No balance is above LIMIT, so PRIME less it is above 0.
        assembly ("memory-safe") {
            mstore(0x00, seed)
            mstore(0x20, account)
            let net := addmod(old, sub(PRIME, settled), PRIME)
            folded := addmod(fingerprint, mulmod(net, keccak256(0x00, 0x40), PRIME), PRIME)
        }
    }

    /// @dev The row at `position`, which lies inside `rows`.
    function rowAt(bytes calldata rows, uint256 position) internal pure returns (address account, uint256 amount) {
        // Memory-safe: reads calldata only.
        assembly ("memory-safe") {
            let offset := add(rows.offset, position)
            account := shr(96, calldataload(offset))
            amount := calldataload(add(offset, 20))
        }
    }

    /// @dev The commitment to `rows` and then those behind `rest`: keccak256(row || what follows), from the last on.
    function commitment(bytes calldata rows, bytes32 rest) internal pure returns (bytes32 link) {
        // Memory-safe: writes memory that is free; nothing is kept there. The caller has made sure that rows.length is a
        // multiple of ROW, so the position meets the offset.
        assembly ("memory-safe") {
            let free := mload(0x40)
            link := rest
            for { let position := add(rows.offset, rows.length) } gt(position, rows.offset) {} {
                position := sub(position, ROW)
                calldatacopy(free, position, ROW)
                mstore(add(free, ROW), link)
                link := keccak256(free, add(ROW, 32))
            }
        }
    }
}
