// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "../src/interfaces/ILedgerToken.sol";
import {Batch, IAccount, IFactory, IToken} from "./Fixture.sol";
import {Judge, Rule} from "./Judge.sol";
import {Payloads, Record} from "./Payloads.sol";
import {Wallet} from "./Wallets.sol";
import {vm} from "./Vm.sol";

/// @dev What the handler did with success, so that a test can ask whether all of it is ever reached.
enum Deed {
    Replay,
    Finalize,
    Offer,
    Accept,
    Transfer,
    TransferFrom,
    Approve,
    Permit,
    ClaimByKey,
    ClaimByContract,
    DeployByKey,
    DeployByContract,
    Execute
}

/// @title Handler: everything that anybody can do to a token, at random, beside a model of what must come of it
/// @dev The model is plain arithmetic with checks; every answer of the token is compared with the model's.
contract Handler is Judge {
    uint256 private constant KEYS = 5;
    uint256 private constant NOW = 1_800_000_000;

    // ------------------------------------------------------------------------------------------------- The model

    mapping(address holder => uint256 amount) public balance;
    mapping(address holder => mapping(address spender => uint256 amount)) public allowance;
    mapping(address holder => uint256 nonce) public permitNonce;
    mapping(address account => uint256 nonce) public claimNonce;
    uint256 public supply;
    bytes32 public history;
    bytes32 public head;
    uint64 public batchCount;
    uint64 public lastSeq;
    bool public live;
    address public operator;
    address public pendingOperator;

    mapping(Deed deed => uint256 times) public done;

    // ------------------------------------------------------------------------------------------------ The people

    /// @dev Keys 1 to KEYS: the first is the first operator, the last a registrar, as is the contract.
    address[] private _keyed;
    Wallet public wallet;

    struct Claim {
        bytes32 key;
        address registrar;
        address wallet;
        uint256 deadline;
        bytes signature;
    }

    Claim private _lastClaim;
    uint256 private _dice;

    constructor(string memory version) {
        vm.warp(NOW);
        for (uint256 i = 1; i <= KEYS; ++i) _keyed.push(vm.addr(i));
        operator = _keyed[0];
        deployAll(operator, version);
        wallet = new Wallet();
        history = head = keccak256(abi.encodePacked(ledgerDomain(), assetId()));
        address[] memory everybody = new address[](KEYS + 8);
        for (uint256 i = 0; i < KEYS; ++i) everybody[i] = _keyed[i];
        everybody[KEYS] = address(token);
        everybody[KEYS + 1] = address(wallet);
        for (uint256 i = 0; i < 6; ++i) everybody[KEYS + 2 + i] = derived(_key(i % 3), _registrar(i / 3));
        _learn(everybody);
    }

    function theToken() external view returns (IToken) {
        return token;
    }

    function _key(uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode("key", number));
    }

    function _registrar(uint256 number) private view returns (address) {
        return number == 0 ? _keyed[KEYS - 1] : address(wallet);
    }

    /// @dev The next number of the action's dice, below `sides`.
    function _roll(uint256 sides) private returns (uint256) {
        _dice = uint256(keccak256(abi.encode(_dice)));
        return _dice % sides;
    }

    function _anybody() private returns (address) {
        return people[_roll(people.length)];
    }

    function _anybodyOrZero() private returns (address) {
        return _roll(8) == 0 ? address(0) : _anybody();
    }

    /// @dev Zero, a little, all there is, one above it, or anything.
    function _amount(uint256 most) private returns (uint256) {
        uint256 how = _roll(8);
        if (how == 0) return 0;
        if (how == 1) return most;
        if (how == 2) return most == type(uint256).max ? most : most + 1;
        if (how == 3) return uint256(keccak256(abi.encode(_dice)));
        if (how == 4) return 10 ** _roll(78);
        return most == 0 ? _roll(3) : _dice % (most / 2 + 1);
    }

    function _deadline() private returns (uint256) {
        uint256 how = _roll(8);
        if (how == 0) return NOW - 1;
        return how == 1 ? NOW : how == 2 ? type(uint256).max : NOW + 1000;
    }

    function _did(bool success, bool expected, Deed deed) private {
        if (success != expected) {
            _break(Rule.AnswersAreTheModels, success ? "it should have refused" : "it should have accepted");
        }
        if (success) ++done[deed];
    }

    // ---------------------------------------------------------------------------------------------- Mirror phase

    /// @dev A batch, with which now and then something is wrong: the sender, the history, an amount, a byte.
    function replay(uint256 seed) external {
        _dice = seed;
        bytes memory payload = Payloads.encode(_writeBatch(new Record[](1 + _roll(6))));
        if (_roll(5) == 0) {
            uint256 place = _roll(payload.length);
            payload[place] ^= bytes1(uint8(1 << _roll(8)));
        }
        address sender = _roll(6) == 0 ? _anybody() : operator;
        bytes32 prev = _roll(8) == 0 ? bytes32(seed) : history;
        _replay(sender, prev, payload);
    }

    function _replay(address sender, bytes32 prev, bytes memory payload) private {
        (bool isCanonical, Record[] memory records) = Payloads.decode(payload);
        if (isCanonical) _meet(records);
        (bytes32 newHead, bytes32 treeRoot) = (keccak256(payload), bytes32(_dice));
        bool expected =
            !live && sender == operator && prev == history && isCanonical && _covers(records);
        (bool success,) =
            _call(sender, abi.encodeCall(ILedgerToken.replay, (prev, newHead, treeRoot, payload)));
        _did(success, expected, Deed.Replay);
        if (!expected) return;
        _book(records);
        lastSeq += uint64(records.length);
        Batch memory batch = Batch(
            assetId(),
            ++batchCount,
            lastSeq + 1 - uint64(records.length),
            lastSeq,
            head,
            newHead,
            treeRoot,
            keccak256(payload)
        );
        history = keccak256(abi.encodePacked(history, batchId(batch)));
        head = newHead;
    }

    /// @dev Fills `records`: three of four batches are covered by the balances, amount for amount.
    function _writeBatch(Record[] memory records) private returns (Record[] memory) {
        (bool honest, uint256 nobody) = (_roll(4) != 0, people.length);
        uint256[] memory held = new uint256[](nobody + 1);
        for (uint256 i = 0; i < nobody; ++i) held[i] = balance[people[i]];
        held[nobody] = type(uint256).max - supply;
        for (uint256 i = 0; i < records.length; ++i) {
            uint256 from = _roll(2) == 0 ? nobody : _roll(nobody);
            uint256 to = from != nobody && _roll(3) == 0 ? nobody : _roll(nobody);
            uint256 amount = _amount(held[from]);
            if (amount > held[from] && honest) amount = held[from] / (1 + _roll(3));
            records[i] = Record(_at(from), _at(to), amount);
            if (amount > held[from]) continue;
            held[from] -= amount;
            held[to] += amount;
        }
        return records;
    }

    function _at(uint256 index) private view returns (address) {
        return index == people.length ? address(0) : people[index];
    }

    /// @dev Whether every record is covered by the balances at its turn, the issuer's being what is left of 2**256 - 1.
    function _covers(Record[] memory records) private view returns (bool) {
        address[] memory table = Payloads.tableOf(records);
        uint256[] memory held = new uint256[](table.length);
        held[0] = type(uint256).max - supply;
        for (uint256 i = 1; i < table.length; ++i) held[i] = balance[table[i]];
        for (uint256 i = 0; i < records.length; ++i) {
            (uint256 from, uint256 to) =
                (Payloads.indexOf(table, records[i].from), Payloads.indexOf(table, records[i].to));
            if (records[i].amount > held[from]) return false;
            held[from] -= records[i].amount;
            held[to] += records[i].amount;
        }
        return true;
    }

    /// @dev Books records; the arithmetic is checked, so that what wraps fails here.
    function _book(Record[] memory records) private {
        for (uint256 i = 0; i < records.length; ++i) {
            (address from, address to, uint256 amount) = (records[i].from, records[i].to, records[i].amount);
            if (from == address(0)) supply += amount;
            else balance[from] -= amount;
            if (to == address(0)) supply -= amount;
            else balance[to] += amount;
        }
    }

    /// @dev Learns whoever is new: a bent payload may name anybody.
    function _meet(Record[] memory records) private {
        address[] memory one = new address[](1);
        address[] memory table = Payloads.tableOf(records);
        for (uint256 i = 1; i < table.length; ++i) {
            one[0] = table[i];
            if (!_isKnown(one[0])) _learn(one);
        }
    }

    function finalize(uint256 seed) external {
        _dice = seed;
        if (_roll(3) != 0) return; // most of a run's batches come first
        address sender = _roll(4) == 0 ? _anybody() : operator;
        bytes32 expectedHistory = _roll(5) == 0 ? bytes32(seed) : history;
        uint64 expectedLastSeq = _roll(5) == 0 ? lastSeq + 1 : lastSeq;
        bool expected = !live && sender == operator && expectedHistory == history && expectedLastSeq == lastSeq;
        (bool success,) =
            _call(sender, abi.encodeCall(ILedgerToken.finalize, (expectedHistory, expectedLastSeq)));
        _did(success, expected, Deed.Finalize);
        if (expected) (live, operator, pendingOperator) = (true, address(0), address(0));
    }

    function transferOperator(uint256 seed) external {
        _dice = seed;
        (address sender, address heir) = (_roll(3) == 0 ? _anybody() : operator, _anybodyOrZero());
        bool expected = !live && sender == operator;
        (bool success,) = _call(sender, abi.encodeCall(ILedgerToken.transferOperator, (heir)));
        _did(success, expected, Deed.Offer);
        if (expected) pendingOperator = heir;
    }

    function acceptOperator(uint256 seed) external {
        _dice = seed;
        address sender = _roll(3) == 0 || pendingOperator == address(0) ? _anybody() : pendingOperator;
        bool expected = !live && sender == pendingOperator;
        (bool success,) = _call(sender, abi.encodeCall(ILedgerToken.acceptOperator, ()));
        _did(success, expected, Deed.Accept);
        if (expected) (operator, pendingOperator) = (sender, address(0));
    }

    // ------------------------------------------------------------------------------------------------ Live phase

    function transfer(uint256 seed) external {
        _dice = seed;
        (address sender, address to) = (_anybody(), _anybodyOrZero());
        uint256 amount = _amount(balance[sender]);
        bool expected = live && to != address(0) && amount <= balance[sender];
        (bool success, bytes memory answer) = _call(sender, abi.encodeCall(IToken.transfer, (to, amount)));
        _did(success && abi.decode(answer, (bool)), expected, Deed.Transfer);
        if (expected) _move(sender, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balance[from] -= amount;
        balance[to] += amount;
    }

    function approve(uint256 seed) external {
        _dice = seed;
        (address sender, address spender) = (_anybody(), _anybody());
        uint256 amount = _roll(3) == 0 ? type(uint256).max : _amount(balance[sender]);
        (bool success, bytes memory answer) = _call(sender, abi.encodeCall(IToken.approve, (spender, amount)));
        _did(success && abi.decode(answer, (bool)), live, Deed.Approve);
        if (live) allowance[sender][spender] = amount;
    }

    function transferFrom(uint256 seed) external {
        _dice = seed;
        (address sender, address from, address to) = (_anybody(), _anybodyOrZero(), _anybodyOrZero());
        if (_roll(4) != 0) (from, sender) = _pair(from, sender);
        uint256 allowed = allowance[from][sender];
        uint256 amount = _amount(allowed < balance[from] ? allowed : balance[from]);
        bool expected = live && from != address(0) && to != address(0) && amount <= balance[from] && amount <= allowed;
        (bool success, bytes memory answer) =
            _call(sender, abi.encodeCall(IToken.transferFrom, (from, to, amount)));
        _did(success && abi.decode(answer, (bool)), expected, Deed.TransferFrom);
        if (!expected) return;
        if (allowed != type(uint256).max) allowance[from][sender] = allowed - amount;
        _move(from, to, amount);
    }

    /// @dev A holder of something and a spender with an allowance of it, if there are any.
    function _pair(address from, address sender) private returns (address, address) {
        uint256 first = _roll(people.length);
        for (uint256 i = 0; i < people.length; ++i) {
            address holder = people[(first + i) % people.length];
            for (uint256 j = 0; balance[holder] != 0 && j < people.length; ++j) {
                if (allowance[holder][people[j]] != 0) return (holder, people[j]);
            }
        }
        return (from, sender);
    }

    function permit(uint256 seed) external {
        _dice = seed;
        (uint256 ownerKey, uint256 signerKey) = (1 + _roll(KEYS), 1 + _roll(KEYS));
        if (_roll(4) != 0) signerKey = ownerKey;
        (address owner, address spender) = (vm.addr(ownerKey), _anybody());
        (uint256 amount, uint256 deadline) = (_amount(balance[owner]), _deadline());
        uint256 nonce = permitNonce[owner] + (_roll(5) == 0 ? 1 : 0);
        bool expected =
            live && signerKey == ownerKey && deadline >= block.timestamp && nonce == permitNonce[owner];
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(signerKey, permitDigest(owner, spender, amount, nonce, deadline));
        bytes memory data = abi.encodeCall(IToken.permit, (owner, spender, amount, deadline, v, r, s));
        (bool success,) = _call(_anybody(), data);
        _did(success, expected, Deed.Permit);
        if (!expected) return;
        allowance[owner][spender] = amount;
        ++permitNonce[owner];
        (success,) = _call(_anybody(), data);
        if (success) _break(Rule.AnswersAreTheModels, "a permit served twice");
    }

    // ---------------------------------------------------------------------------------------------------- Claims

    /// @dev A claim: signed as it is sent, or for something else, or the last that was accepted, once more.
    function claim(uint256 seed) external {
        _dice = seed;
        Claim memory it =
            Claim(_key(_roll(3)), _registrar(_roll(2)), _anybodyOrZero(), _deadline(), new bytes(0));
        if (_roll(4) != 0) (it.key, it.registrar) = _claimable(it.key, it.registrar);
        if (_roll(8) == 0) it.registrar = _anybodyOrZero();
        bool isSigned = _roll(5) != 0;
        uint256 nonce = claimNonce[derived(it.key, it.registrar)];
        isSigned = _signClaim(it, isSigned ? nonce : nonce + 1 + _roll(2), isSigned) && isSigned;
        bool isOld = _roll(6) == 0 && _lastClaim.registrar != address(0);
        if (isOld) it = _lastClaim;
        _claim(it, isSigned && !isOld);
    }

    /// @dev A derived account that holds something and is not deployed, if there is one.
    function _claimable(bytes32 key, address registrar) private returns (bytes32, address) {
        uint256 first = _roll(6);
        for (uint256 i = first; i < first + 6; ++i) {
            (bytes32 oneKey, address one) = (_key(i % 3), _registrar(i / 3 % 2));
            address account = derived(oneKey, one);
            if (balance[account] != 0 && account.code.length == 0) return (oneKey, one);
        }
        return (key, registrar);
    }

    function _claim(Claim memory it, bool isSigned) private {
        address account = derived(it.key, it.registrar);
        uint256 amount = balance[account];
        if (it.registrar == address(wallet)) {
            // It says yes for ever to what it was told of, which may be long ago.
            isSigned = wallet.approved(claimDigest(it.key, it.wallet, claimNonce[account], it.deadline));
        }
        bool expected = live && isSigned && it.wallet != address(0) && it.deadline >= block.timestamp
            && account.code.length == 0 && amount != 0;
        bytes memory data = abi.encodeCall(
            ILedgerToken.claim, (it.key, it.registrar, it.wallet, it.deadline, it.signature)
        );
        (bool success, bytes memory answer) = _call(_anybody(), data);
        _did(success, expected, it.registrar == address(wallet) ? Deed.ClaimByContract : Deed.ClaimByKey);
        if (!expected) return;
        if (success && abi.decode(answer, (uint256)) != amount) {
            _break(Rule.ClaimTouchesOnlyItsAddress, "not the whole balance");
        }
        _move(account, it.wallet, amount);
        ++claimNonce[account];
        _lastClaim = it;
    }

    /// @dev Signs a claim of `nonce`; nobody signs for a registrar who is neither of the two.
    function _signClaim(Claim memory it, uint256 nonce, bool isHonest) private returns (bool) {
        address signedFor = isHonest ? it.wallet : _anybody();
        bytes32 digest = claimDigest(it.key, signedFor, nonce, it.deadline);
        if (it.registrar == address(wallet)) wallet.approve(digest);
        uint256 signer = _roll(8) == 0 ? 1 : KEYS;
        it.signature = sign(signer, digest);
        return it.registrar == _keyed[signer - 1];
    }

    // -------------------------------------------------------------------------------------------------- Accounts

    /// @dev Deploys an account at a derived address, for an owner whom its registrar authorised, or did not.
    function deployAccount(uint256 seed) external {
        _dice = seed;
        if (_roll(6) != 0) return; // claims end where an account begins
        uint256 number = _roll(2);
        (bytes32 key, address registrar, address owner) = (_key(_roll(3)), _registrar(number), _keyed[_roll(KEYS)]);
        bool isSigned = _roll(3) != 0;
        bytes32 digest = deployDigest(key, registrar, isSigned ? owner : address(this), NOW);
        bytes memory signature = sign(KEYS, digest);
        if (number == 1) wallet.approve(digest);
        address account = derived(key, registrar);
        bool expected = isSigned && account.code.length == 0;
        vm.prank(_anybody());
        (bool success,) =
            address(factory).call(abi.encodeCall(IFactory.deploy, (LEDGER, key, registrar, owner, NOW, signature)));
        _did(success, expected, number == 1 ? Deed.DeployByContract : Deed.DeployByKey);
        if (expected && IAccount(account).owner() != owner) _break(Rule.OnlyTheOwnerExecutes, "another owner");
    }

    /// @dev Somebody makes an account move its tokens; only its owner can.
    function execute(uint256 seed) external {
        _dice = seed;
        address account = derived(_key(_roll(3)), _registrar(_roll(2)));
        for (uint256 i = 0; i < 6 && account.code.length == 0; ++i) account = derived(_key(i % 3), _registrar(i / 3));
        if (account.code.length == 0) return;
        address owner = IAccount(account).owner();
        (address sender, address to) = (_roll(2) == 0 ? owner : _anybody(), _anybody());
        uint256 amount = _amount(balance[account]);
        bytes memory inner = abi.encodeCall(IToken.transfer, (to, amount));
        bytes memory data = abi.encodeCall(IAccount.execute, (address(token), 0, inner));
        bool expected = live && sender == owner && amount <= balance[account];
        (bool success,) = _send(sender, account, data, inner, account);
        if (success && sender != owner) _break(Rule.OnlyTheOwnerExecutes, "somebody else executed");
        _did(success, expected, Deed.Execute);
        if (expected) _move(account, to, amount);
    }

    // --------------------------------------------------------------------------------------------- Anything else

    /// @dev Any function, with arguments that are people and small numbers: who may not, cannot.
    function anything(uint256 seed) external {
        _dice = seed;
        bytes4[8] memory selectors = [
            ILedgerToken.replay.selector,
            ILedgerToken.finalize.selector,
            ILedgerToken.transferOperator.selector,
            ILedgerToken.acceptOperator.selector,
            ILedgerToken.claim.selector,
            IToken.permit.selector,
            IAccount.initialize.selector,
            bytes4(bytes32(seed))
        ];
        bytes memory data = abi.encodePacked(
            selectors[_roll(8)], abi.encode(_anybody(), _anybodyOrZero(), _anybody(), _roll(3), _roll(300))
        );
        address sender = _anybody();
        if (sender == operator || sender == pendingOperator) return;
        (bool success,) = _call(sender, data);
        success;
    }
}
