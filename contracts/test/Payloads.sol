// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev One movement, as an entry of the ledger has it; address zero is the issuer.
struct Record {
    address from;
    address to;
    uint256 amount;
}

/// @title Payloads: payload v1 written down from its definition, slowly, to be compared with what the contract reads
library Payloads {
    /// @dev The one payload of `records`.
    function encode(Record[] memory records) internal pure returns (bytes memory) {
        return write(records, tableOf(records), scaleOf(records), 0);
    }

    /// @dev `records` with a table and a scale that may be other than theirs, and mantissas of `padding` zero bytes more.
    function write(Record[] memory records, address[] memory table, uint256 scale, uint256 padding)
        internal
        pure
        returns (bytes memory payload)
    {
        payload = abi.encodePacked(uint8(1), uint8(scale), uint16(table.length), uint32(records.length));
        for (uint256 i = 0; i < table.length; ++i) payload = bytes.concat(payload, bytes20(table[i]));
        for (uint256 i = 0; i < records.length; ++i) {
            bytes memory digits = bytes.concat(new bytes(padding), minimal(records[i].amount / 10 ** scale));
            payload = abi.encodePacked(
                payload,
                uint16(indexOf(table, records[i].from)),
                uint16(indexOf(table, records[i].to)),
                uint8(digits.length),
                digits
            );
        }
    }

    /// @dev Zero, then every other address that a record names, ascending.
    function tableOf(Record[] memory records) internal pure returns (address[] memory table) {
        address[] memory all = new address[](2 * records.length + 1);
        uint256 count = 1;
        for (uint256 i = 0; i < 2 * records.length; ++i) {
            address one = i % 2 == 0 ? records[i / 2].from : records[i / 2].to;
            uint256 row = count;
            while (all[row - 1] > one) --row;
            if (all[row - 1] == one) continue;
            for (uint256 j = count++; j > row; --j) all[j] = all[j - 1];
            all[row] = one;
        }
        table = new address[](count);
        for (uint256 i = 0; i < count; ++i) table[i] = all[i];
    }

    /// @dev The largest power of ten that divides every amount; 0 if they are all zero.
    function scaleOf(Record[] memory records) internal pure returns (uint256 scale) {
        uint256 all = 0;
        for (uint256 i = 0; i < records.length; ++i) all |= records[i].amount;
        if (all == 0) return 0;
        for (scale = 77; scale > 0; --scale) {
            bool divides = true;
            for (uint256 i = 0; i < records.length && divides; ++i) {
                divides = records[i].amount % 10 ** scale == 0;
            }
            if (divides) return scale;
        }
    }

    /// @dev Big-endian without leading zeros; zero is one byte.
    function minimal(uint256 value) internal pure returns (bytes memory digits) {
        uint256 length = 1;
        while (length < 32 && value >> (8 * length) != 0) ++length;
        digits = new bytes(length);
        for (uint256 i = 0; i < length; ++i) digits[i] = bytes1(uint8(value >> (8 * (length - 1 - i))));
    }

    function indexOf(address[] memory table, address one) internal pure returns (uint256 index) {
        while (table[index] != one) ++index;
    }

    /// @dev The records of `payload`; `isCanonical` if they are its records, and these bytes the only ones they have.
    function decode(bytes memory payload) internal pure returns (bool isCanonical, Record[] memory records) {
        if (payload.length < 8 || payload[0] != 0x01 || uint8(payload[1]) > 77) return (false, records);
        uint256 unit = 10 ** uint256(uint8(payload[1]));
        uint256 accounts = number(payload, 2, 2);
        uint256 count = number(payload, 4, 4);
        uint256 position = 8 + 20 * accounts;
        if (count == 0 || payload.length < position || count > payload.length) return (false, records);
        records = new Record[](count);
        for (uint256 i = 0; i < count; ++i) {
            if (payload.length < position + 5) return (false, records);
            uint256 from = number(payload, position, 2);
            uint256 to = number(payload, position + 2, 2);
            uint256 length = uint8(payload[position + 4]);
            if (from >= accounts || to >= accounts || from + to == 0) return (false, records);
            if (length == 0 || length > 32 || payload.length < position + 5 + length) return (false, records);
            uint256 mantissa = number(payload, position + 5, length);
            if (mantissa > type(uint256).max / unit) return (false, records);
            records[i] = Record(addressAt(payload, from), addressAt(payload, to), mantissa * unit);
            position += 5 + length;
        }
        isCanonical = keccak256(encode(records)) == keccak256(payload);
    }

    function addressAt(bytes memory payload, uint256 index) internal pure returns (address) {
        return address(uint160(number(payload, 8 + 20 * index, 20)));
    }

    /// @dev The big-endian number in `length` bytes from `position`.
    function number(bytes memory payload, uint256 position, uint256 length) internal pure returns (uint256 value) {
        for (uint256 i = 0; i < length; ++i) value = (value << 8) | uint8(payload[position + i]);
    }
}
