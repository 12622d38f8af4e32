// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../interfaces/ILedgerToken.sol";

/// @title PayloadV1: the records of a batch, read from their one canonical form and applied to balances in memory
/// @dev payload = u8 version | u8 scaleExp | u16 nAccounts | u32 nRecords | address[nAccounts] | records,
/// record = u16 from | u16 to | u8 length | mantissa, amount = mantissa * 10**scaleExp.
///
/// A table in memory is two words an account: the address, whose first byte becomes 1 once a record names it (an
/// address leaves it free), then the balance.
library PayloadV1 {
    uint256 private constant HEADER = 8;
    uint256 private constant MAX_SCALE = 77;
    uint256 private constant ADDRESS = 2 ** 160 - 1;

    /// @dev keccak256("Transfer(address,address,uint256)"): assembly takes literals only.
    uint256 private constant TRANSFER = 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef;

    /// @dev Reads header and table; the balances are left zero.
    function readTable(bytes calldata payload) internal pure returns (uint256[] memory table) {
        if (payload.length < HEADER) revert ILedgerToken.PayloadTooShort(payload.length, HEADER);
        if (uint8(payload[0]) != 1) revert ILedgerToken.PayloadVersion(uint8(payload[0]));
        if (uint8(payload[1]) > MAX_SCALE) revert ILedgerToken.ScaleTooLarge(uint8(payload[1]));
        uint256 count = uint16(bytes2(payload[2:4]));
        if (count < 2) revert ILedgerToken.TableTooShort(count);
        if (payload.length < HEADER + 20 * count) {
            revert ILedgerToken.PayloadTooShort(payload.length, HEADER + 20 * count);
        }
        if (bytes20(payload[8:28]) != 0) revert ILedgerToken.FirstAddressNotZero(address(bytes20(payload[8:28])));
        table = new uint256[](2 * count);
        uint256 previous;
        for (uint256 i = 1; i < count; ++i) {
            uint256 account;
            // Memory-safe: reads calldata only, inside the payload, whose length was checked for the whole table.
            assembly ("memory-safe") {
                account := shr(96, calldataload(add(payload.offset, add(HEADER, mul(i, 20)))))
            }
            if (account <= previous) revert ILedgerToken.AddressNotAscending(i, address(uint160(account)));
            table[2 * i] = previous = account;
        }
    }

    /// @dev Applies every record to the balances of `table`, in order, each with its Transfer.
    /// @return records The number of records, at least one.
    function applyRecords(bytes calldata payload, uint256[] memory table) internal returns (uint256 records) {
        uint256 position = HEADER + 10 * table.length;
        bool scaled;
        (position, records, scaled) = _apply(payload, position, table, _unit(payload));
        if (position < payload.length) _refuseRecord(payload, position, records, table);
        if (position > payload.length) revert ILedgerToken.PayloadTooShort(payload.length, position);
        uint256 named = uint32(bytes4(payload[4:8]));
        if (records != named || records == 0) revert ILedgerToken.WrongRecordCount(named, records);
        if (!scaled) _refuseScale(payload, table.length);
    }

    /// @dev The loop of `applyRecords`.
    /// @return stopped Where it ended: at the end of the payload, past it, or at the first record it refuses.
    /// @return records How many records it applied.
    /// @return scaled Whether an amount has no larger scale; if not, all are zero or the scale is not the largest.
    function _apply(bytes calldata payload, uint256 position, uint256[] memory table, uint256 unit)
        private
        returns (uint256 stopped, uint256 records, bool scaled)
    {
        uint256 largest = type(uint256).max / unit;
        // Memory-safe: writes the scratch word 0 and rows of the table, which are compared with its last. Nothing
        // wraps: a mantissa is at most the largest, a debit at most its balance, and the balances of a table, the
        // issuer's room among them, sum to at most 2**256 - 1, which a record does not change. Calldata past the
        // payload may be read by the record that is cut off; the position then ends past the payload, which reverts.
        assembly ("memory-safe") {
            let rows := add(table, 32)
            let last := add(table, sub(shl(5, mload(table)), 32))
            let end := add(payload.offset, payload.length)
            let cursor := add(payload.offset, position)
            for {} lt(cursor, end) {} {
                let word := calldataload(cursor)
                let digits := calldataload(add(cursor, 5))
                // A row is 64 bytes, so an index of 16 bits becomes an offset without its low 6 bits.
                let from := add(rows, and(shr(234, word), 0x3fffc0))
                let to := add(rows, and(shr(218, word), 0x3fffc0))
                let length := byte(4, word)
                let amount := shr(sub(256, shl(3, length)), digits)
                if or(
                    or(or(gt(from, last), gt(to, last)), iszero(shr(224, word))),
                    or(
                        or(gt(sub(length, 1), 31), gt(amount, largest)),
                        and(gt(length, 1), iszero(byte(0, digits)))
                    )
                ) { break }
                scaled := or(scaled, mod(amount, 10))
                amount := mul(amount, unit)
                let held := mload(add(from, 32))
                if lt(held, amount) { break }
                mstore(add(from, 32), sub(held, amount))
                mstore(add(to, 32), add(mload(add(to, 32)), amount))
                mstore8(from, 1)
                mstore8(to, 1)
                mstore(0, amount)
                log3(0, 32, TRANSFER, and(mload(from), ADDRESS), and(mload(to), ADDRESS))
                records := add(records, 1)
                cursor := add(cursor, add(5, length))
            }
            scaled := iszero(iszero(scaled))
            stopped := sub(cursor, payload.offset)
        }
    }

    /// @dev What a mantissa is multiplied with.
    function _unit(bytes calldata payload) private pure returns (uint256) {
        return 10 ** uint256(uint8(payload[1]));
    }

    /// @dev Refuses a scale that is not the largest, given that every mantissa is divisible by ten: unless all are
    /// zero and the scale too.
    function _refuseScale(bytes calldata payload, uint256 tableLength) private pure {
        uint256 scaleExp = uint8(payload[1]);
        if (scaleExp != 0) revert ILedgerToken.ScaleNotLargest(scaleExp);
        for (uint256 cursor = HEADER + 10 * tableLength; cursor < payload.length; cursor += 5 + uint8(payload[cursor + 4])) {
            if (_mantissa(payload, cursor) != 0) revert ILedgerToken.ScaleNotLargest(scaleExp);
        }
    }

    /// @dev Names the first rule that the record at `position` breaks.
    function _refuseRecord(bytes calldata payload, uint256 position, uint256 record, uint256[] memory table)
        private
        pure
    {
        if (payload.length < position + 6) revert ILedgerToken.PayloadTooShort(payload.length, position + 6);
        uint256 from = uint16(bytes2(payload[position:position + 2]));
        uint256 to = uint16(bytes2(payload[position + 2:position + 4]));
        uint256 length = uint8(payload[position + 4]);
        if (2 * from >= table.length || 2 * to >= table.length) revert ILedgerToken.IndexOutOfRange(record, from, to);
        if (from == 0 && to == 0) revert ILedgerToken.IssuerToIssuer(record);
        if (length == 0 || length > 32) revert ILedgerToken.MantissaLength(record, length);
        uint256 next = position + 5 + length;
        if (payload.length < next) revert ILedgerToken.PayloadTooShort(payload.length, next);
        if (length > 1 && payload[position + 5] == 0) revert ILedgerToken.MantissaNotMinimal(record, length);
        uint256 mantissa = _mantissa(payload, position);
        if (mantissa > type(uint256).max / _unit(payload)) {
            revert ILedgerToken.AmountOverflow(record, mantissa, uint8(payload[1]));
        }
        address account = address(uint160(table[2 * from]));
        revert ILedgerToken.Overdraft(record, account, table[2 * from + 1], mantissa * _unit(payload));
    }

    /// @dev The mantissa of the record at `position`, which lies inside the payload.
    function _mantissa(bytes calldata payload, uint256 position) private pure returns (uint256) {
        uint256 length = uint8(payload[position + 4]);
        return uint256(bytes32(payload[position + 5:position + 5 + length])) >> (256 - 8 * length);
    }
}
