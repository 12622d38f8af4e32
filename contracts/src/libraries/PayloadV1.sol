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
        if (payload.length < HEADER) revert ILedgerToken.PayloadLength(payload.length, HEADER);
        if (uint8(payload[0]) != 1) revert ILedgerToken.PayloadVersion(uint8(payload[0]));
        if (uint8(payload[1]) > MAX_SCALE) revert ILedgerToken.ScaleTooLarge(uint8(payload[1]));
        uint256 count = uint16(bytes2(payload[2:4]));
        if (count < 2) revert ILedgerToken.TableTooShort(count);
        uint256 end = HEADER + 20 * count;
        if (payload.length < end) revert ILedgerToken.PayloadLength(payload.length, end);
        if (bytes20(payload[8:28]) != 0) revert ILedgerToken.FirstAddressNotZero(address(bytes20(payload[8:28])));
        table = new uint256[](2 * count);
        uint256 ascending = _copyAddresses(payload[HEADER:end], table);
        if (ascending != count) {
            address account = address(bytes20(payload[HEADER + 20 * ascending:]));
            revert ILedgerToken.AddressNotAscending(ascending, account);
        }
    }

    /// @dev Copies addresses into the rows of `table`, one each, as long as each is above the one before.
    /// @return index The index of the first that is not, or the number of addresses.
    function _copyAddresses(bytes calldata addresses, uint256[] memory table) private pure returns (uint256 index) {
        // Memory-safe: writes the first word of each of the table's rows, as many as there are addresses. Nothing
        // wraps: offsets stay inside the calldata and the memory of the two arguments.
        assembly ("memory-safe") {
            let row := add(table, 32)
            let position := addresses.offset
            let end := add(position, addresses.length)
            let previous := 0
            for { index := 1 } 1 { index := add(index, 1) } {
                position := add(position, 20)
                row := add(row, 64)
                if eq(position, end) { break }
                let account := shr(96, calldataload(position))
                if iszero(gt(account, previous)) { break }
                mstore(row, account)
                previous := account
            }
        }
    }

    /// @dev Applies every record to the balances of `table`, in order, each with its Transfer.
    /// @return records The number of records, at least one.
    function applyRecords(bytes calldata payload, uint256[] memory table) internal returns (uint256 records) {
        records = uint32(bytes4(payload[4:8]));
        if (records == 0) revert ILedgerToken.NoRecords();
        (uint256 position, uint256 left, uint256 remainders) = _apply(payload, table, records, unitOf(payload));
        if (left != 0) refuseRecord(payload, position, records - left, table);
        if (position != payload.length) revert ILedgerToken.PayloadLength(payload.length, position);
        if (remainders == 0) checkScale(payload, table.length);
    }

    /// @dev The loop of `applyRecords`; ends at the first record it cannot apply.
    /// @return position Where it ended.
    /// @return left How many records it has not applied.
    /// @return remainders Zero if ten divides every mantissa.
    function _apply(bytes calldata payload, uint256[] memory table, uint256 records, uint256 unit)
        private
        returns (uint256 position, uint256 left, uint256 remainders)
    {
        // Memory-safe: writes the scratch word 0 and rows of the table, which are compared with its last. Nothing
        // wraps: a mantissa is at most balance / unit, so the amount at most the balance, and the balances of a table,
        // the issuer's room among them, sum to at most 2**256 - 1, which a record does not change. Calldata past the
        // payload may be read; the position then ends past the payload, which is refused.
        assembly ("memory-safe") {
            let rows := add(table, 32)
            let last := add(table, sub(shl(5, mload(table)), 32))
            position := add(payload.offset, add(HEADER, mul(10, mload(table))))
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
                let held := mload(add(from, 32))
                if gt(amount, div(held, unit)) { break }
                if iszero(remainders) { remainders := mod(amount, 10) }
                amount := mul(amount, unit)
                mstore(add(from, 32), sub(held, amount))
                mstore(add(to, 32), add(mload(add(to, 32)), amount))
                mstore8(from, 1)
                mstore8(to, 1)
                mstore(0, amount)
                log3(0, 32, TRANSFER, and(mload(from), ADDRESS), and(mload(to), ADDRESS))
                position := add(add(position, 5), length)
            }
            position := sub(position, payload.offset)
        }
    }

    /// @dev What a mantissa is multiplied with.
    function unitOf(bytes calldata payload) internal pure returns (uint256) {
        return 10 ** uint256(uint8(payload[1]));
    }

    /// @dev Refuses a scale that is not the largest, given that ten divides every mantissa: unless every amount is
    /// zero, and the scale too.
    function checkScale(bytes calldata payload, uint256 tableLength) internal pure {
        uint256 scaleExp = uint8(payload[1]);
        if (scaleExp != 0) revert ILedgerToken.ScaleNotLargest(scaleExp);
        uint256 position = HEADER + 10 * tableLength;
        while (position < payload.length) {
            if (_mantissa(payload, position) != 0) revert ILedgerToken.ScaleNotLargest(scaleExp);
            position += 5 + uint8(payload[position + 4]);
        }
    }

    /// @dev Names the first rule that the record at `position` breaks.
    function refuseRecord(bytes calldata payload, uint256 position, uint256 record, uint256[] memory table)
        internal
        pure
    {
        if (payload.length < position + 6) revert ILedgerToken.PayloadLength(payload.length, position + 6);
        uint256 from = uint16(bytes2(payload[position:position + 2]));
        uint256 to = uint16(bytes2(payload[position + 2:position + 4]));
        uint256 length = uint8(payload[position + 4]);
        if (2 * from >= table.length || 2 * to >= table.length) revert ILedgerToken.IndexOutOfRange(record, from, to);
        if (from == 0 && to == 0) revert ILedgerToken.IssuerToIssuer(record);
        if (length == 0 || length > 32) revert ILedgerToken.MantissaLength(record, length);
        uint256 next = position + 5 + length;
        if (payload.length < next) revert ILedgerToken.PayloadLength(payload.length, next);
        if (length > 1 && payload[position + 5] == 0) revert ILedgerToken.MantissaNotMinimal(record, length);
        uint256 mantissa = _mantissa(payload, position);
        if (mantissa > type(uint256).max / unitOf(payload)) {
            revert ILedgerToken.AmountOverflow(record, mantissa, uint8(payload[1]));
        }
        address account = address(uint160(table[2 * from]));
        revert ILedgerToken.Overdraft(record, account, table[2 * from + 1], mantissa * unitOf(payload));
    }

    /// @dev The mantissa of the record at `position`, which lies inside the payload.
    function _mantissa(bytes calldata payload, uint256 position) private pure returns (uint256) {
        uint256 length = uint8(payload[position + 4]);
        return uint256(bytes32(payload[position + 5:position + 5 + length])) >> (256 - 8 * length);
    }
}
