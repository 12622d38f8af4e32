// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../src/interfaces/ILedgerToken.sol";
import {Fixture, IToken} from "./Fixture.sol";
import {Change, Kind, Slots} from "./Slots.sol";
import {Vm, vm} from "./Vm.sol";

/// @dev The rules that calls may break; each is an invariant of the campaign.
enum Rule {
    HistoryMovesOnlyByReplay,
    NothingButReplayBeforeFinalize,
    NothingOfTheOperatorAfterFinalize,
    ClaimTouchesOnlyItsAddress,
    OthersMoveOnlyWhatIsTheirs,
    OperatorsFunctionsAreTheOperators,
    AnswersAreTheModels,
    OnlyTheOwnerExecutes,
    NoUnknownStorage
}

/// @title Judge: sends calls to the token and looks at each slot that they change
/// @dev It knows who may change what from the table in `_judge` alone, not from what the call answered.
abstract contract Judge is Fixture {
    /// @dev What broke a rule first; empty as long as it holds.
    mapping(Rule rule => string what) public broken;

    mapping(bytes32 slot => Kind) private _kinds;
    address[] public people;

    function peopleCount() external view returns (uint256) {
        return people.length;
    }

    /// @dev Makes the slots of everybody known: a change anywhere else breaks a rule.
    function _learn(address[] memory everybody) internal {
        _kinds[Slots.history()] = Kind.History;
        _kinds[Slots.head()] = Kind.Head;
        _kinds[Slots.counters()] = Kind.Counters;
        _kinds[Slots.operator()] = Kind.Operator;
        _kinds[Slots.pendingOperator()] = Kind.PendingOperator;
        _kinds[Slots.supply()] = Kind.Supply;
        for (uint256 i = 0; i < everybody.length; ++i) {
            people.push(everybody[i]);
            _kinds[Slots.balance(everybody[i])] = Kind.Balance;
            _kinds[Slots.permitNonce(everybody[i])] = Kind.PermitNonce;
            _kinds[Slots.claimNonce(everybody[i])] = Kind.ClaimNonce;
            for (uint256 j = 0; j < people.length; ++j) {
                _kinds[Slots.allowance(everybody[i], people[j])] = Kind.Allowance;
                _kinds[Slots.allowance(people[j], everybody[i])] = Kind.Allowance;
            }
        }
    }

    function _isKnown(address holder) internal view returns (bool) {
        return _kinds[Slots.balance(holder)] == Kind.Balance;
    }

    /// @dev Sends a call to the token, or through an account, and judges what it changed on the token.
    /// @param mover Who is the token's caller: `sender`, or the account that `target` is.
    function _send(address sender, address target, bytes memory data, bytes memory inner, address mover)
        internal
        returns (bool success, bytes memory answer)
    {
        bool wasLive = token.live();
        (address operator, address pending) = (token.operator(), token.pendingOperator());
        vm.startStateDiffRecording();
        vm.prank(sender);
        (success, answer) = target.call(data);
        Change[] memory changes = Slots.changes(address(token), vm.stopAndReturnStateDiff());
        _judge(wasLive, mover, operator, pending, inner, success, changes);
    }

    function _call(address sender, bytes memory data) internal returns (bool success, bytes memory answer) {
        return _send(sender, address(token), data, data, sender);
    }

    function _judge(
        bool wasLive,
        address sender,
        address operator,
        address pending,
        bytes memory data,
        bool success,
        Change[] memory changes
    ) private {
        bytes4 what = bytes4(data);
        bool isReplay = what == ILedgerToken.replay.selector;
        if (wasLive && success && _isOfTheOperator(what)) {
            _break(Rule.NothingOfTheOperatorAfterFinalize, "a call of the operator succeeded");
        }
        if (!wasLive && success && _isOfTheOperator(what)) {
            address allowed = what == ILedgerToken.acceptOperator.selector ? pending : operator;
            if (sender != allowed) _break(Rule.OperatorsFunctionsAreTheOperators, "called by another");
        }
        if (!wasLive && success && _isOfHolders(what)) {
            _break(Rule.NothingButReplayBeforeFinalize, "a call of the live phase succeeded");
        }
        for (uint256 i = 0; i < changes.length; ++i) {
            Kind kind = _kinds[changes[i].slot];
            if (kind == Kind.Unknown) _break(Rule.NoUnknownStorage, "an unknown slot changed");
            bool isHistory = kind == Kind.History || kind == Kind.Head
                || (kind == Kind.Counters && uint128(uint256(changes[i].before ^ changes[i].later)) != 0);
            if (isHistory && !isReplay) _break(Rule.HistoryMovesOnlyByReplay, "another call moved it");
            if (wasLive && kind <= Kind.Supply) {
                _break(Rule.NothingOfTheOperatorAfterFinalize, "what is fixed has changed");
            }
            if (!wasLive && kind >= Kind.Supply && !isReplay) {
                _break(Rule.NothingButReplayBeforeFinalize, "a balance, an allowance or a nonce changed");
            }
            if (wasLive && !_isTheirs(what, sender, data, changes[i].slot)) {
                _break(
                    what == ILedgerToken.claim.selector
                        ? Rule.ClaimTouchesOnlyItsAddress
                        : Rule.OthersMoveOnlyWhatIsTheirs,
                    "a slot changed that is not theirs"
                );
            }
        }
    }

    function _isOfTheOperator(bytes4 what) private pure returns (bool) {
        return what == ILedgerToken.replay.selector || what == ILedgerToken.finalize.selector
            || what == ILedgerToken.transferOperator.selector || what == ILedgerToken.acceptOperator.selector;
    }

    function _isOfHolders(bytes4 what) private pure returns (bool) {
        return what == IToken.transfer.selector || what == IToken.transferFrom.selector
            || what == IToken.approve.selector || what == IToken.permit.selector
            || what == ILedgerToken.claim.selector;
    }

    /// @dev The table of the live phase: whose slots a call with these arguments may change.
    function _isTheirs(bytes4 what, address sender, bytes memory data, bytes32 slot) private view returns (bool) {
        (bytes32 a, bytes32 b) = (_word(data, 0), _word(data, 1));
        (address one, address two) = (address(uint160(uint256(a))), address(uint160(uint256(b))));
        if (what == IToken.transfer.selector) return slot == Slots.balance(sender) || slot == Slots.balance(one);
        if (what == IToken.approve.selector) return slot == Slots.allowance(sender, one);
        if (what == IToken.permit.selector) {
            return slot == Slots.allowance(one, two) || slot == Slots.permitNonce(one);
        }
        if (what == IToken.transferFrom.selector) {
            return slot == Slots.balance(one) || slot == Slots.balance(two)
                || slot == Slots.allowance(one, sender);
        }
        if (what == ILedgerToken.claim.selector) {
            address account = derived(a, two);
            address wallet = address(uint160(uint256(_word(data, 2))));
            return slot == Slots.balance(account) || slot == Slots.balance(wallet)
                || slot == Slots.claimNonce(account);
        }
        return false;
    }

    /// @dev The word number `index` of the arguments; zero where there is none.
    function _word(bytes memory data, uint256 index) private pure returns (bytes32 word) {
        if (data.length < 36 + 32 * index) return 0;
        assembly ("memory-safe") {
            word := mload(add(data, add(36, mul(32, index))))
        }
    }

    function _break(Rule rule, string memory what) internal {
        if (bytes(broken[rule]).length == 0) broken[rule] = what;
    }
}
