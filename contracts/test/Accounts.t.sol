// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../src/interfaces/ILedgerToken.sol";
import {Fixture, IAccount, IFactory, IToken} from "./Fixture.sol";
import {Payloads, Record} from "./Payloads.sol";
import {
    BombWallet,
    EndlessWallet,
    ReentrantWallet,
    RevertingBombWallet,
    Wallet
} from "./Wallets.sol";
import {vm} from "./Vm.sol";

/// @title Claims and deployments against signatures that are nearly right and registrars that mean harm
contract AccountsTest is Fixture {
    uint256 private constant REGISTRAR = 0xA11CE;
    uint256 private constant NEVER = type(uint256).max;
    bytes32 private constant KEY = "a key";
    address private constant WALLET = address(0xB0B);

    function setUp() public {
        deployAll(address(this));
    }

    /// @dev A live token on which the derived address of each of `registrars` has 100.
    function _live(address registrar) private returns (address account) {
        account = derived(KEY, registrar);
        Record[] memory records = new Record[](1);
        records[0] = Record(address(0), account, 100);
        token.replay(token.history(), 0, 0, Payloads.encode(records));
        token.finalize(token.history(), token.lastSeq());
    }

    function _claim(address registrar, bytes memory signature) private returns (bool success, bytes memory answer) {
        bytes memory data = abi.encodeCall(ILedgerToken.claim, (KEY, registrar, WALLET, NEVER, signature));
        return address(token).call{gas: 10_000_000}(data);
    }

    function _deploy(address registrar, bytes memory signature) private returns (bool success, bytes memory answer) {
        bytes memory data =
            abi.encodeCall(IFactory.deploy, (LEDGER, KEY, registrar, WALLET, NEVER, signature));
        return address(factory).call{gas: 10_000_000}(data);
    }

    function _refused(bool success, bytes memory answer, address registrar) private pure {
        vm.assertFalse(success, "it was accepted");
        vm.assertEq(
            answer, abi.encodeWithSignature("InvalidSignature(address)", registrar), "another reason"
        );
    }

    // ----------------------------------------------------------------------------------------- Forged signatures

    function testFuzz_noOtherBytesSignAClaim(bytes32 r, bytes32 s, uint8 v, bytes calldata any) external {
        address registrar = vm.addr(REGISTRAR);
        _live(registrar);
        bytes memory good = sign(REGISTRAR, claimDigest(KEY, WALLET, 0, NEVER));
        (bytes32 goodR, bytes32 goodS) = (bytes32(Payloads.number(good, 0, 32)), bytes32(Payloads.number(good, 32, 32)));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes[7] memory forged = [
            abi.encodePacked(goodR, order - uint256(goodS), uint8(good[64]) ^ 7), // 27 and 28 change places
            abi.encodePacked(r, s, v),
            abi.encodePacked(goodR, s, v),
            abi.encodePacked(r, goodS, good[64]),
            abi.encodePacked(goodR, goodS, v == uint8(good[64]) ? v ^ 1 : v),
            bytes.concat(good, any.length == 0 ? bytes("0") : any),
            any
        ];
        for (uint256 i = 0; i < forged.length; ++i) {
            if (keccak256(forged[i]) == keccak256(good)) continue;
            (bool success, bytes memory answer) = _claim(registrar, forged[i]);
            _refused(success, answer, registrar);
        }
        (bool accepted,) = _claim(registrar, good);
        vm.assertTrue(accepted, "the right one");
    }

    function testFuzz_aClaimServesOneTokenOnOneChain(uint64 chain) external {
        vm.assume(chain != block.chainid && chain != 0);
        address registrar = vm.addr(REGISTRAR);
        address account = _live(registrar);
        bytes memory good = sign(REGISTRAR, claimDigest(KEY, WALLET, 0, NEVER));
        uint256 home = block.chainid;
        vm.chainId(chain); // a fork of the chain: the same token with the same balances
        (bool success, bytes memory answer) = _claim(registrar, good);
        _refused(success, answer, registrar);
        vm.chainId(home);
        (success,) = _claim(registrar, good);
        vm.assertTrue(success && token.balanceOf(account) == 0, "at home");
    }

    function testFuzz_aDeploymentServesOneChain(uint64 chain) external {
        vm.assume(chain != block.chainid && chain != 0);
        address registrar = vm.addr(REGISTRAR);
        bytes memory good = sign(REGISTRAR, deployDigest(KEY, registrar, WALLET, NEVER));
        vm.chainId(chain);
        (bool success, bytes memory answer) = _deploy(registrar, good);
        _refused(success, answer, registrar);
    }

    /// @dev The deadline is the last second, inclusive; the largest never comes.
    function testFuzz_deadlines(uint64 now_, uint64 deadline) external {
        address registrar = vm.addr(REGISTRAR);
        _live(registrar);
        vm.warp(now_);
        bytes memory good = sign(REGISTRAR, claimDigest(KEY, WALLET, 0, deadline));
        bytes memory data = abi.encodeCall(ILedgerToken.claim, (KEY, registrar, WALLET, deadline, good));
        (bool success,) = address(token).call(data);
        vm.assertTrue(success == (now_ <= deadline), "the deadline of a claim");
        good = sign(REGISTRAR, deployDigest(KEY, registrar, WALLET, deadline));
        data = abi.encodeCall(IFactory.deploy, (LEDGER, KEY, registrar, WALLET, deadline, good));
        (success,) = address(factory).call(data);
        vm.assertTrue(success == (now_ <= deadline), "the deadline of a deployment");
    }

    // --------------------------------------------------------------------------------- Registrars that mean harm

    /// @dev Answers of a megabyte, reverts of a megabyte, loops: a refusal, at the cost of who sent the claim.
    function test_hostileRegistrars() external {
        address[3] memory hostile =
            [address(new BombWallet()), address(new RevertingBombWallet()), address(new EndlessWallet())];
        address account = _live(hostile[0]);
        for (uint256 i = 0; i < hostile.length; ++i) {
            (bool success, bytes memory answer) = _deploy(hostile[i], "");
            _refused(success, answer, hostile[i]);
        }
        (bool claimed, bytes memory reason) = _claim(hostile[0], "");
        _refused(claimed, reason, hostile[0]);
        vm.assertEq(token.balanceOf(account), 100, "the balance");
    }

    /// @dev A registrar that sends the claim again while it is asked cannot: the question allows no change.
    function test_aClaimCannotBeEnteredAgain() external {
        ReentrantWallet registrar = new ReentrantWallet();
        address account = _live(address(registrar));
        bytes memory again = abi.encodeCall(ILedgerToken.claim, (KEY, address(registrar), WALLET, NEVER, ""));
        registrar.arm(address(token), again);
        (bool success,) = _claim(address(registrar), "");
        vm.assertTrue(success, "the claim");
        vm.assertEq(token.claimNonces(account), 1, "once");
        vm.assertEq(token.balanceOf(WALLET), 100, "the whole, once");
    }

    function test_aDeploymentCannotBeEnteredAgain() external {
        ReentrantWallet registrar = new ReentrantWallet();
        bytes memory again =
            abi.encodeCall(IFactory.deploy, (LEDGER, KEY, address(registrar), address(this), NEVER, ""));
        registrar.arm(address(factory), again);
        (bool success,) = _deploy(address(registrar), "");
        vm.assertTrue(success, "the deployment");
        vm.assertEq(IAccount(derived(KEY, address(registrar))).owner(), WALLET, "the owner that was asked for");
    }

    /// @dev The first transaction of two authorisations wins, and ends the other: no account changes hands twice.
    function test_oneOfTwoAuthorisations() external {
        address registrar = vm.addr(REGISTRAR);
        (bool success,) = _deploy(registrar, sign(REGISTRAR, deployDigest(KEY, registrar, WALLET, NEVER)));
        vm.assertTrue(success, "the first");
        bytes memory other = sign(REGISTRAR, deployDigest(KEY, registrar, address(this), NEVER));
        (success,) =
            address(factory).call(abi.encodeCall(IFactory.deploy, (LEDGER, KEY, registrar, address(this), NEVER, other)));
        vm.assertFalse(success, "the second");
        vm.assertEq(IAccount(derived(KEY, registrar)).owner(), WALLET, "the owner");
    }

    // --------------------------------------------------------------------------------------------------- Accounts

    /// @dev The owner's contract is called back by what the account calls, and may execute again: it is the owner.
    /// Anybody else who is called by the account may not.
    function testFuzz_onlyTheOwnerExecutes(address caller, address target, bytes calldata data) external {
        address registrar = vm.addr(REGISTRAR);
        vm.assume(caller != WALLET && caller != address(0)); // nobody calls from zero
        (bool success,) = _deploy(registrar, sign(REGISTRAR, deployDigest(KEY, registrar, WALLET, NEVER)));
        IAccount account = IAccount(derived(KEY, registrar));
        vm.prank(caller);
        (success,) = address(account).call(abi.encodeCall(IAccount.execute, (target, 0, data)));
        vm.assertFalse(success, "executed");
        vm.prank(caller);
        (success,) = address(account).call(abi.encodeCall(IAccount.transferOwnership, (caller)));
        vm.assertFalse(success, "offered");
        vm.prank(caller);
        (success,) = address(account).call(abi.encodeCall(IAccount.acceptOwnership, ()));
        vm.assertFalse(success, "taken");
        vm.prank(caller);
        (success,) = address(account).call(abi.encodeCall(IAccount.initialize, (caller)));
        vm.assertFalse(success, "initialised");
        vm.assertEq(account.owner(), WALLET, "the owner");
    }

    /// @dev What is left of a claim when the account is deployed first: nothing, whoever is faster.
    function test_aClaimEndsWhereTheAccountBegins() external {
        address registrar = vm.addr(REGISTRAR);
        address account = _live(registrar);
        bytes memory claim = sign(REGISTRAR, claimDigest(KEY, WALLET, 0, NEVER));
        (bool success,) = _deploy(registrar, sign(REGISTRAR, deployDigest(KEY, registrar, WALLET, NEVER)));
        (success,) = _claim(registrar, claim);
        vm.assertFalse(success, "the claim");
        vm.prank(WALLET);
        IAccount(account).execute(address(token), 0, abi.encodeCall(IToken.transfer, (address(0xC), 100)));
        vm.assertEq(token.balanceOf(address(0xC)), 100, "its owner moves it");
    }
}
