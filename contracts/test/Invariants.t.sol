// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "./Fixture.sol";
import {Deed, Handler} from "./Handler.sol";
import {Rule} from "./Judge.sol";
import {vm} from "./Vm.sol";

/// @title What holds after every call of every random life of a token
/// @dev The handler sends the calls, judges each slot that they change, and keeps a model beside the token.
contract InvariantsTest {
    Handler private handler;
    IToken private token;

    function setUp() public {
        handler = new Handler(version());
        token = handler.theToken();
    }

    function version() internal pure virtual returns (string memory) {
        return "LedgerToken";
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_supplyIsTheSumOfBalances() external view {
        uint256 sum = 0;
        for (uint256 i = 0; i < handler.peopleCount(); ++i) sum += token.balanceOf(handler.people(i));
        vm.assertEq(token.totalSupply(), sum, "total supply and the sum of the balances");
    }

    function invariant_supplyNeverWraps() external view {
        // The handler's own supply is minted less burned, in checked arithmetic: it could not follow a wrap.
        vm.assertEq(token.totalSupply(), handler.supply(), "total supply, and minted less burned");
        vm.assertEq(token.balanceOf(address(0)), 0, "the issuer holds nothing");
    }

    function invariant_historyMovesOnlyByReplay() external view {
        _holds(Rule.HistoryMovesOnlyByReplay);
        vm.assertEq(token.history(), handler.history(), "history");
        vm.assertEq(token.head(), handler.head(), "head");
        vm.assertEq(token.lastSeq(), handler.lastSeq(), "lastSeq");
        vm.assertEq(token.batchCount(), handler.batchCount(), "batchCount");
    }

    function invariant_replayIsAllOrNothing() external view {
        for (uint256 i = 0; i < handler.peopleCount(); ++i) {
            address holder = handler.people(i);
            vm.assertEq(token.balanceOf(holder), handler.balance(holder), "a balance");
        }
        _holds(Rule.AnswersAreTheModels);
    }

    function invariant_nothingButReplayBeforeFinalize() external view {
        _holds(Rule.NothingButReplayBeforeFinalize);
        vm.assertTrue(token.live() == handler.live(), "the phase");
    }

    function invariant_nothingOfTheOperatorAfterFinalize() external view {
        _holds(Rule.NothingOfTheOperatorAfterFinalize);
        _holds(Rule.OperatorsFunctionsAreTheOperators);
        vm.assertEq(token.operator(), handler.operator(), "the operator");
        vm.assertEq(token.pendingOperator(), handler.pendingOperator(), "the pending operator");
        vm.assertTrue(!token.live() || token.operator() == address(0), "a live token has an operator");
        vm.assertTrue(!token.live() || token.pendingOperator() == address(0), "a live token offers the part");
    }

    function invariant_aClaimTouchesOnlyItsOwnAddress() external view {
        _holds(Rule.ClaimTouchesOnlyItsAddress);
    }

    function invariant_everybodyMovesOnlyWhatIsTheirs() external view {
        _holds(Rule.OthersMoveOnlyWhatIsTheirs);
        _holds(Rule.OnlyTheOwnerExecutes);
        _holds(Rule.NoUnknownStorage);
    }

    function invariant_aSignatureServesOnce() external view {
        for (uint256 i = 0; i < handler.peopleCount(); ++i) {
            address one = handler.people(i);
            vm.assertEq(token.nonces(one), handler.permitNonce(one), "the nonce of permits");
            vm.assertEq(token.claimNonces(one), handler.claimNonce(one), "the nonce of claims");
        }
    }

    function _holds(Rule rule) private view {
        vm.assertEq(handler.broken(rule), "", "a rule was broken");
    }
}

/// @title The same holds of the deferred token, as long as nothing is deferred
contract DeferredInvariantsTest is InvariantsTest {
    function version() internal pure override returns (string memory) {
        return "LedgerTokenDeferred";
    }
}

/// @title The handler does reach what it is meant to reach
contract HandlerTest {
    function test_everyDeedIsDone() external {
        for (uint256 life = 0; life < 10; ++life) {
            Handler handler = new Handler("LedgerToken");
            for (uint256 i = 0; i < 128; ++i) _act(handler, uint256(keccak256(abi.encode(life, i))));
            for (uint256 i = 0; i <= uint256(type(Deed).max); ++i) _times[i] += handler.done(Deed(i));
            for (uint256 i = 0; i <= uint256(type(Rule).max); ++i) {
                vm.assertEq(handler.broken(Rule(i)), "", "a rule was broken");
            }
        }
        for (uint256 i = 0; i <= uint256(type(Deed).max); ++i) {
            vm.assertTrue(_times[i] != 0, string.concat("never done: deed ", vm.toString(i)));
        }
    }

    mapping(uint256 deed => uint256) private _times;

    function _act(Handler handler, uint256 seed) private {
        uint256 what = seed % 12;
        if (what < 2) handler.replay(seed);
        else if (what == 2) handler.finalize(seed);
        else if (what == 3) handler.transferOperator(seed);
        else if (what == 4) handler.acceptOperator(seed);
        else if (what == 5) handler.transfer(seed);
        else if (what == 6) handler.approve(seed);
        else if (what == 7) handler.transferFrom(seed);
        else if (what == 8) handler.permit(seed);
        else if (what == 9) handler.claim(seed);
        else if (what == 10) handler.deployAccount(seed);
        else handler.execute(seed);
    }
}
