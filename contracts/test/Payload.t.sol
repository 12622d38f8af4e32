// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../src/interfaces/ILedgerToken.sol";
import {Fixture} from "./Fixture.sol";
import {Payloads, Record} from "./Payloads.sol";
import {Vm, vm} from "./Vm.sol";

/// @title Which bytes `replay` takes: the one encoding of their records, and nothing else
contract PayloadTest is Fixture {
    uint256 private constant HOLDERS = 4;
    uint256 private constant FUNDS = 2 ** 250;

    bytes32 private constant TRANSFER = keccak256("Transfer(address,address,uint256)");

    uint256 private _dice;

    function setUp() public {
        deployAll(address(this));
        Record[] memory mints = new Record[](HOLDERS);
        for (uint256 i = 0; i < HOLDERS; ++i) mints[i] = Record(address(0), _holder(i + 1), FUNDS);
        token.replay(token.history(), 0, 0, Payloads.encode(mints));
    }

    function _holder(uint256 number) private pure returns (address) {
        return number == 0 ? address(0) : address(uint160(number));
    }

    function _roll(uint256 sides) private returns (uint256) {
        _dice = uint256(keccak256(abi.encode(_dice)));
        return _dice % sides;
    }

    function _someRecords() private returns (Record[] memory records) {
        records = new Record[](1 + _roll(5));
        for (uint256 i = 0; i < records.length; ++i) {
            (uint256 from, uint256 to) = (_roll(HOLDERS + 1), _roll(HOLDERS + 1));
            if (from + to == 0) to = 1;
            uint256 amount = _roll(3) == 0 ? 10 ** _roll(78) : uint256(keccak256(abi.encode(_dice))) >> _roll(257);
            records[i] = Record(_holder(from), _holder(to), _roll(8) == 0 ? 0 : amount);
        }
        // Batches with one scale for all their amounts are rare by themselves: here they are half.
        if (_roll(2) == 0) return records;
        uint256 unit = 10 ** (1 + _roll(77));
        for (uint256 i = 0; i < records.length; ++i) {
            records[i].amount = records[i].amount % (type(uint256).max / unit + 1) / 2 ** _roll(12) * unit;
        }
    }

    /// @dev Bytes that are a payload or nearly: up to three bits, bytes or runs of bytes are other than they should be.
    function _bend(bytes memory payload) private returns (bytes memory) {
        for (uint256 i = _roll(4); i > 0 && payload.length > 0; --i) {
            uint256 place = _roll(3) == 0 ? _roll(8) % payload.length : _roll(payload.length);
            uint256 how = _roll(6);
            bytes memory left = _slice(payload, 0, place);
            if (how == 0) payload[place] ^= bytes1(uint8(1 << _roll(8)));
            else if (how == 1) payload[place] = bytes1(uint8(_roll(256)));
            else if (how == 2) payload[place] = bytes1(uint8(_roll(4)));
            else if (how == 3) payload = left;
            else if (how == 4) payload = bytes.concat(left, bytes1(uint8(_roll(3))), _slice(payload, place, payload.length));
            else payload = bytes.concat(left, _slice(payload, place + 1, payload.length));
        }
        return payload;
    }

    /// @dev The same records in other bytes, each rule broken now and then: an address that no record names, two that
    /// are out of order, a scale that is not the largest, zeros before a mantissa.
    function _loosen(Record[] memory records) private returns (bytes memory) {
        address[] memory table = Payloads.tableOf(records);
        uint256 scale = Payloads.scaleOf(records);
        uint256 how = _roll(5);
        if (how == 0) {
            address[] memory longer = new address[](table.length + 1);
            uint256 place = 1 + _roll(table.length);
            for (uint256 i = 0; i < table.length; ++i) longer[i < place ? i : i + 1] = table[i];
            address before = longer[place - 1];
            longer[place] = address(uint160(before) + 1); // between two neighbours there is no room: then it is there twice
            table = longer;
        }
        if (how == 1 && table.length > 2) {
            uint256 place = 1 + _roll(table.length - 2);
            (table[place], table[place + 1]) = (table[place + 1], table[place]);
        }
        if (how == 2 && scale > 0) scale = _roll(scale);
        return Payloads.write(records, table, scale, how == 3 ? 1 + _roll(3) : 0);
    }

    function _slice(bytes memory whole, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = from; i < to; ++i) part[i - from] = whole[i];
    }

    function _covers(Record[] memory records) private pure returns (bool) {
        address[] memory table = Payloads.tableOf(records);
        uint256[] memory held = new uint256[](table.length);
        held[0] = type(uint256).max - HOLDERS * FUNDS;
        for (uint256 i = 1; i < table.length; ++i) {
            if (uint160(table[i]) <= HOLDERS) held[i] = FUNDS;
        }
        for (uint256 i = 0; i < records.length; ++i) {
            (uint256 from, uint256 to) =
                (Payloads.indexOf(table, records[i].from), Payloads.indexOf(table, records[i].to));
            if (records[i].amount > held[from]) return false;
            held[from] -= records[i].amount;
            held[to] += records[i].amount;
        }
        return true;
    }

    /// @dev Taken if, and only if, the bytes are the one encoding of records that the balances cover; and then each
    /// record has its Transfer, in order.
    function testFuzz_onlyTheOneEncodingIsTaken(uint256 seed) external {
        _dice = seed;
        Record[] memory written = _someRecords();
        bytes memory payload = _roll(2) == 0 ? _loosen(written) : _bend(Payloads.encode(written));
        (bool isCanonical, Record[] memory records) = Payloads.decode(payload);
        bool expected = isCanonical && _covers(records);
        bytes32 before = token.history();
        vm.recordLogs();
        (bool success, bytes memory answer) =
            address(token).call(abi.encodeCall(ILedgerToken.replay, (before, 0, 0, payload)));
        vm.assertTrue(success == expected, string.concat("taken or refused: ", success ? "taken" : "refused"));
        if (success) _sameAsLogs(records);
        else vm.assertTrue(answer.length >= 4, "a refusal without its reason");
        vm.assertTrue((token.history() != before) == expected, "the history");
    }

    function _sameAsLogs(Record[] memory records) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, records.length + 1, "a Transfer a record, and the batch");
        for (uint256 i = 0; i < records.length; ++i) {
            vm.assertEq(logs[i].topics[0], TRANSFER, "the event");
            vm.assertEq(address(uint160(uint256(logs[i].topics[1]))), records[i].from, "from");
            vm.assertEq(address(uint160(uint256(logs[i].topics[2]))), records[i].to, "to");
            vm.assertEq(abi.decode(logs[i].data, (uint256)), records[i].amount, "amount");
        }
    }

    /// @dev What follows the payload in the calldata, and where the payload begins in it, are no part of it.
    function testFuzz_calldataAroundThePayloadIsNotRead(uint256 seed, bytes calldata behind) external {
        _dice = seed;
        bytes memory payload = Payloads.encode(_someRecords());
        (, Record[] memory records) = Payloads.decode(payload);
        if (_roll(3) == 0) payload = _slice(payload, 0, payload.length - 1);
        bytes memory call = abi.encodePacked(
            ILedgerToken.replay.selector, token.history(), bytes32(0), bytes32(0), uint256(160), seed, payload.length
        );
        (bool success,) = address(token).call(bytes.concat(call, payload, behind));
        (bool isCanonical,) = Payloads.decode(payload);
        vm.assertTrue(success == (isCanonical && _covers(records)), "other bytes were read");
    }

    function testFuzz_anyAmount(uint256 amount, uint8 shift) external {
        amount = (amount >> shift) % (type(uint256).max - HOLDERS * FUNDS + 1);
        Record[] memory records = new Record[](1);
        records[0] = Record(address(0), address(0xABC), amount);
        token.replay(token.history(), 0, 0, Payloads.encode(records));
        vm.assertEq(token.balanceOf(address(0xABC)), amount, "the balance");
        vm.assertEq(token.totalSupply(), HOLDERS * FUNDS + amount, "the supply");
    }

    /// @dev 65,535 addresses, the most that a table has; more gas than any chain gives, but the code is the same.
    function test_theLargestTable() external {
        uint256 count = 65_535;
        bytes memory payload = new bytes(8 + 20 * count + 6 * (count - 1));
        uint256 records = 8 + 20 * count;
        _put(payload, 0, 8, (uint256(1) << 56) | (count << 32) | (count - 1));
        for (uint256 i = 1; i < count; ++i) {
            _put(payload, 8 + 20 * i, 20, 0x1000000 + i);
            _put(payload, records + 6 * (i - 1), 6, (i << 16) | 0x0101);
        }
        token.replay(token.history(), 0, 0, payload);
        vm.assertEq(token.totalSupply(), HOLDERS * FUNDS + count - 1, "the supply");
        vm.assertEq(token.balanceOf(address(uint160(0x1000000 + count - 1))), 1, "the last");
        vm.assertEq(token.lastSeq(), HOLDERS + count - 1, "lastSeq");
    }

    /// @dev Writes a number of `length` bytes, big-endian, into zeros.
    function _put(bytes memory into, uint256 position, uint256 length, uint256 value) private pure {
        for (uint256 i = 0; i < length; ++i) {
            into[position + i] = bytes1(uint8(value >> (8 * (length - 1 - i))));
        }
    }
}
