// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm, vm} from "./Vm.sol";

/// @dev What a slot of the token holds.
enum Kind {
    Unknown,
    History,
    Head,
    Counters, // batchCount, lastSeq, live
    Operator,
    PendingOperator,
    Supply,
    Balance,
    Allowance,
    PermitNonce,
    ClaimNonce
}

/// @dev A slot that a call left with another value.
struct Change {
    bytes32 slot;
    bytes32 before;
    bytes32 later;
}

/// @title Slots: where the token keeps what, and what a call has changed
library Slots {
    function history() internal pure returns (bytes32) {
        return bytes32(uint256(2));
    }

    function head() internal pure returns (bytes32) {
        return bytes32(uint256(3));
    }

    function counters() internal pure returns (bytes32) {
        return bytes32(uint256(4));
    }

    function operator() internal pure returns (bytes32) {
        return bytes32(uint256(5));
    }

    function pendingOperator() internal pure returns (bytes32) {
        return bytes32(uint256(6));
    }

    function claimNonce(address account) internal pure returns (bytes32) {
        return keccak256(abi.encode(account, uint256(7)));
    }

    function supply() internal pure returns (bytes32) {
        return bytes32(uint256(0x05345cdf77eb68f44c));
    }

    function balance(address holder) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(holder, uint96(0x87a211a2)));
    }

    function permitNonce(address holder) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(holder, uint96(0x38377508)));
    }

    function allowance(address holder, address spender) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(holder, uint96(0x7f5e9f20), spender));
    }

    /// @dev The slots of `target` whose value is another at the end of the recording than at its beginning.
    function changes(address target, Vm.AccountAccess[] memory accesses)
        internal
        pure
        returns (Change[] memory found)
    {
        uint256 room = 0;
        for (uint256 i = 0; i < accesses.length; ++i) room += accesses[i].storageAccesses.length;
        Change[] memory all = new Change[](room);
        uint256 count = 0;
        for (uint256 i = 0; i < accesses.length; ++i) {
            for (uint256 j = 0; j < accesses[i].storageAccesses.length; ++j) {
                Vm.StorageAccess memory it = accesses[i].storageAccesses[j];
                if (it.account != target || !it.isWrite || it.reverted) continue;
                uint256 row = 0;
                while (row < count && all[row].slot != it.slot) ++row;
                if (row == count) all[count++] = Change(it.slot, it.previousValue, it.newValue);
                else all[row].later = it.newValue;
            }
        }
        uint256 kept = 0;
        for (uint256 i = 0; i < count; ++i) if (all[i].before != all[i].later) all[kept++] = all[i];
        found = new Change[](kept);
        for (uint256 i = 0; i < kept; ++i) found[i] = all[i];
    }
}
