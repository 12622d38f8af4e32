"""What applications call, on both databases: what is posted, what is refused, what is repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ledger import (
    ISSUER,
    MAX_AMOUNT,
    Account,
    Address,
    FieldError,
    Group,
    Hash32,
    Kind,
    Ledger,
    LedgerError,
    Link,
    LinkScheme,
    Movement,
    NotFoundError,
    OpenAccount,
    Receipt,
    RefusedError,
    Restore,
    Rule,
)
from ledger.account_rules import new_account
from ledger.ids import group_id
from ledger.model import ZERO_ADDRESS, ZERO_HASH
from ledger.requests import Item, PlaceHold, PostHold, Reverse, SetLimits, VoidHold
from ledger.times import moment_of
from tests.ledger.support import (
    LEDGER_ID,
    PEPPER,
    START,
    Anything,
    Clock,
    accepted,
    create,
    economy,
    place,
    raw,
    unchanged,
)

TOKEN = 10**18
CAUSE = Hash32(b"\x07" * 32)


def chain(from_account: str, to_account: str, amount: int) -> Movement:
    return Movement(from_account, to_account, amount, kind=Kind.CHAIN, cause=place())


def refused(result: Receipt | RefusedError, rule: Rule) -> None:
    assert isinstance(result, RefusedError), result
    assert result.rule == rule


# --- the functions of the first specification ---


def test_a_new_account_is_endowed_with_1000_tokens(database_url: str) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("SCI", "Science")
        account = ledger.create_account("alice")
        assert ledger.get_balance("alice") == 1_000 * TOKEN
        [entry] = ledger.get_statement("alice")
        assert (entry.from_account, entry.to_account) == (ISSUER, "alice")
        assert (entry.reason, entry.amount, entry.seq) == ("endowment", 1_000 * TOKEN, 1)
        assert entry.timestamp == account.created_at
        assert ledger.get_total_supply() == 1_000 * TOKEN
        assert ledger.audit().ok


@pytest.mark.parametrize(
    ("initial", "endowment", "balance"),
    [(None, None, 1_000_00), (None, 77, 77), (None, 0, 0), (5, 77, 5), (0, 77, 0)],
)
def test_the_endowment_is_an_argument_and_a_setting(
    database_url: str, initial: int | None, endowment: int | None, balance: int
) -> None:
    with create(database_url) as ledger:
        ledger.create_asset("EUR", "Euro", 2, endowment=endowment)
        ledger.create_account("alice", initial)
        assert ledger.get_balance("alice") == balance
        assert [entry.amount for entry in ledger.get_statement("alice")] == [balance] * bool(
            balance
        )


def test_transfer_mint_and_burn_move_what_they_say(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        moved = ledger.transfer("alice", "bob", 300, reason="payment", memo="für Ω")
        assert (moved.balance_after_from, moved.balance_after_to) == (700, 1_300)
        assert (moved.seq, moved.reason, moved.memo) == (3, "payment", "für Ω")
        minted = ledger.mint("alice", 50)
        assert (minted.from_account, minted.from_address) == (ISSUER, ZERO_ADDRESS)
        assert (minted.balance_after_from, minted.balance_after_to) == (2_050, 750)
        burned = ledger.burn("bob", 1_300)
        assert (burned.to_account, burned.to_address) == (ISSUER, ZERO_ADDRESS)
        assert (burned.balance_after_from, burned.balance_after_to) == (0, 750)
        assert (minted.reason, burned.reason) == ("mint", "burn")
        assert ledger.get_total_supply() == ledger.get_balance("alice") == 750
        assert ledger.audit().ok


def test_a_balance_tells_what_was_earned_and_spent(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.transfer("alice", "bob", 300)
        ledger.transfer("bob", "alice", 100)
        alice = ledger.balance("alice")
        assert (alice.balance, alice.total_earned, alice.total_spent) == (800, 1_100, 300)
        assert (alice.total_staked, alice.available) == (0, 800)
        assert alice.address == ledger.account("alice").address
        issuer = ledger.balance(ISSUER)
        assert (issuer.balance, issuer.total_earned, issuer.total_spent) == (2_000, 2_000, 0)
        assert [b.account_id for b in ledger.balances()] == ["alice", "bob"]


def test_an_account_that_never_had_any_has_zero(database_url: str) -> None:
    with economy(database_url) as ledger:
        ledger.create_account("idle", 0)
        assert ledger.get_balance("idle") == 0
        assert list(ledger.balances()) == []
        assert ledger.get_statement("idle") == []


def test_what_is_read_is_what_was_returned(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        posted = ledger.transfer(
            "alice", "bob", 1,
            reason="r", reference_type="t", reference_id="i", memo="m", idempotency_key="k",
        )  # fmt: skip
        item = chain("alice", "bob", 0)
        from_chain = accepted(ledger.post_many([item])[0]).entries[0]
        *_, read, last = ledger.entries()
        assert read == posted
        assert last == from_chain
        assert (last.origin, last.kind, last.cause) == ("chain", "chain", item.cause)
        assert (read.origin, read.kind, read.cause) == ("local", "", ZERO_HASH)
        assert ledger.head() == type(ledger.head())(last.seq, last.head, last.timestamp)


def test_a_statement_has_both_sides_in_order(database_url: str) -> None:
    with economy(database_url, "alice", "bob", "carol") as ledger:
        ledger.transfer("alice", "bob", 1)
        ledger.transfer("bob", "carol", 2)
        ledger.transfer("carol", "alice", 3)
        assert [entry.seq for entry in ledger.get_statement("alice")] == [1, 4, 6]
        assert [entry.seq for entry in ledger.get_statement("bob")] == [2, 4, 5]
        assert [entry.seq for entry in ledger.get_statement(ISSUER)] == [1, 2, 3]


def test_since_is_an_instant_and_includes_it(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        entries = [ledger.transfer("alice", "bob", 1) for _ in range(5)]
        third = moment_of(entries[2].timestamp)
        elsewhere = third.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
        just_after = third + timedelta(microseconds=1)

        def seqs(since: datetime) -> list[int]:
            return [entry.seq for entry in ledger.get_statement("bob", since)]

        assert seqs(third) == seqs(elsewhere) == [5, 6, 7]
        assert seqs(just_after) == [6, 7]
        assert seqs(datetime(1970, 1, 1, tzinfo=UTC)) == [2, 3, 4, 5, 6, 7]
        assert seqs(datetime(9999, 12, 31, tzinfo=UTC)) == []


@pytest.mark.parametrize("since", [datetime(2026, 1, 1), "2026-01-01", 5])  # noqa: DTZ001 (is refused)
def test_since_needs_an_offset(sqlite_url: str, since: Anything) -> None:
    with economy(sqlite_url, "alice") as ledger, pytest.raises(FieldError, match="since"):
        ledger.get_statement("alice", since)


def test_a_statement_is_longer_than_a_page(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.post_many(Movement("alice", "bob", 1) for _ in range(999))
        ledger.post_many(Movement("bob", "alice", 1) for _ in range(1_300))
        assert [entry.seq for entry in ledger.get_statement("bob")] == list(range(2, 2_302))
        assert [entry.seq for entry in ledger.entries(first=900, last=2_100)] == list(
            range(900, 2_101)
        )


def test_accounts_are_read_in_code_point_order(database_url: str) -> None:
    ids = ["B", "a", "\u00e9", "Z", "\U0001f600", "\ufb00", "_", "0"]
    with economy(database_url) as ledger:
        ledger.post_many(OpenAccount(account_id, 1) for account_id in ids)
        assert [a.account_id for a in ledger.accounts()] == sorted([*ids, ISSUER])
        assert [b.account_id for b in ledger.balances()] == sorted(ids)


# --- amounts over the full range ---


def test_amounts_reach_2_to_256_minus_1(database_url: str) -> None:
    with economy(database_url) as ledger:
        ledger.create_account("alice", 0)
        ledger.create_account("bob", 0)
        ledger.mint("alice", MAX_AMOUNT)
        entry = ledger.transfer("alice", "bob", MAX_AMOUNT)
        assert (entry.balance_after_from, entry.balance_after_to) == (0, MAX_AMOUNT)
        assert ledger.get_total_supply() == ledger.get_balance("bob") == MAX_AMOUNT
        assert [e.amount for e in ledger.get_statement("bob")] == [MAX_AMOUNT]
        assert ledger.audit().ok


def test_amounts_of_every_size_go_in_together(database_url: str) -> None:
    amounts = [2**power for power in range(0, 250, 7)]
    with economy(database_url) as ledger:
        ledger.post_many(OpenAccount(f"a{amount}", amount) for amount in amounts)
        assert [b.balance for b in ledger.balances()] == [
            amount for _, amount in sorted((f"a{amount}", amount) for amount in amounts)
        ]
        assert ledger.get_total_supply() == sum(amounts)
        assert ledger.audit().ok


# --- refusals: each rule once, by name, in a ledger that stays as it was ---

Use = Callable[[Ledger], object]


def nothing(_: Ledger) -> None: ...


def post(ledger: Ledger, item: Item) -> None:
    """Post one item and raise its refusal, as the named functions do."""
    [result] = ledger.post_many([item])
    if isinstance(result, RefusedError):
        raise result


def a_minute_ahead(ledger: Ledger) -> None:
    ledger._clock = Clock(int(datetime.now(UTC).timestamp() * 1e6) + 61_000_000)


def there_and_back(ledger: Ledger) -> None:
    """Earn 2**255 twice, with only one 2**255 ever minted."""
    ledger.mint("bob", 2**255)
    ledger.transfer("bob", "alice", 2**255)


def a_held(amount: int = 500, **words: Any) -> Use:  # noqa: ANN401 (whatever `hold` takes)
    """Return what holds part of alice's, for bob."""
    return lambda it: it.hold("alice", amount, "bob", **words)


def the_hold(ledger: Ledger) -> Hash32:
    """Return the id of the only hold."""
    with raw(ledger._transactions.engine.url.render_as_string(hide_password=False)) as database:
        [(id_,)] = database.run("SELECT id FROM token_holds")
        return Hash32(bytes(id_))


def an_hour_later(ledger: Ledger) -> None:
    """Let alice's hold expire, without anything that would sweep it."""
    ledger.hold("alice", 500, "bob", expires_at=moment_of(START + 3_600_000_000))
    ledger._clock = Clock(START + 3_600_000_000)


def resolved(resolve: Callable[[Ledger, Hash32], object]) -> Use:
    """Return what holds part of alice's and resolves it."""
    return lambda it: resolve(it, it.hold("alice", 500, "bob").id)


def post_it(ledger: Ledger) -> object:
    return ledger.post_hold(the_hold(ledger))


def a_pair(ledger: Ledger) -> None:
    post(ledger, Group((Movement("alice", "bob", 1), Movement("alice", "bob", 2))))


def reverse_last(ledger: Ledger, **options: Any) -> object:  # noqa: ANN401 (whatever `reverse` takes)
    return ledger.reverse([*ledger.entries()][-1].id, **options)


REFUSALS: dict[Rule, tuple[Use, Use]] = {
    Rule.INVALID_FIELD: (nothing, lambda it: it.transfer("alice", "bob", -1)),
    Rule.UNKNOWN_HOLD: (a_held(), lambda it: it.post_hold(CAUSE)),
    Rule.UNKNOWN_ENTRY: (nothing, lambda it: it.reverse(CAUSE)),
    Rule.HOLD_POSTED: (resolved(lambda it, hold: it.post_hold(hold)), post_it),
    Rule.HOLD_VOIDED: (resolved(lambda it, hold: it.void_hold(hold)), post_it),
    Rule.HOLD_EXPIRED: (an_hour_later, post_it),
    Rule.HOLD_ACCOUNT: (
        lambda it: it.hold("alice", 500),
        lambda it: it.post_hold(the_hold(it)),
    ),
    Rule.ABOVE_HOLD: (a_held(), lambda it: it.post_hold(the_hold(it), 501)),
    Rule.GROUP_WHOLE: (a_pair, reverse_last),
    Rule.ENTRY_REVERSED: (
        lambda it: it.reverse(it.transfer("alice", "bob", 5).id),
        lambda it: it.reverse([*it.entries()][-2].id),
    ),
    Rule.ABOVE_ENTRY: (
        lambda it: it.transfer("alice", "bob", 5),
        lambda it: reverse_last(it, amount=6),
    ),
    Rule.ASSET_REQUIRED: (
        lambda it: it.create_asset("B", "B"),
        lambda it: it.transfer("alice", "bob", 1),
    ),
    Rule.UNKNOWN_ASSET: (nothing, lambda it: it.transfer("alice", "bob", 1, asset="NO")),
    Rule.ASSET_EXISTS: (nothing, lambda it: it.create_asset("SCI", "Other", 2)),
    Rule.GROUP_EMPTY: (nothing, lambda it: post(it, Group(()))),
    Rule.GROUP_TOO_LARGE: (
        nothing,
        lambda it: post(it, Group((Movement("alice", "bob", 1),) * 1_001)),
    ),
    Rule.CLOCK_AHEAD: (a_minute_ahead, lambda it: it.transfer("alice", "bob", 1)),
    Rule.KEY_REUSED: (
        lambda it: it.transfer("alice", "bob", 1, idempotency_key="used"),
        lambda it: it.transfer("alice", "bob", 2, idempotency_key="used"),
    ),
    Rule.TIME_PASSED: (
        nothing,
        lambda it: it.post_past([(START - 1, Movement("alice", "bob", 1))]),
    ),
    Rule.ACCOUNT_EXISTS: (nothing, lambda it: it.create_account("alice")),
    Rule.ADDRESS_TAKEN: (
        nothing,
        lambda it: it.create_account(str(it.account("alice").address).lower()),
    ),
    Rule.LINK_INVALID: (
        nothing,
        lambda it: it.create_account(
            "carol",
            address=Address(b"\x22" * 20),
            link=Link(LinkScheme.EIP712, signature=bytes(65)),
        ),
    ),
    Rule.UNKNOWN_ACCOUNT: (nothing, lambda it: it.transfer("alice", "nobody", 1)),
    Rule.ACCOUNT_OPEN: (nothing, lambda it: it.reopen_account("alice")),
    Rule.ACCOUNT_FROZEN: (
        lambda it: it.freeze_account("alice"),
        lambda it: it.transfer("alice", "bob", 1),
    ),
    Rule.ACCOUNT_CLOSED: (
        lambda it: (it.burn("bob", 1_000), it.close_account("bob")),
        lambda it: it.transfer("alice", "bob", 1),
    ),
    Rule.ACCOUNT_NOT_EMPTY: (nothing, lambda it: it.close_account("alice")),
    Rule.EXPIRY_PASSED: (nothing, lambda it: it.hold("alice", 1, expires_at=moment_of(START))),
    Rule.SAME_ACCOUNT: (nothing, lambda it: it.transfer("alice", "alice", 1)),
    Rule.AMOUNT_ZERO: (nothing, lambda it: it.transfer("alice", "bob", 0)),
    Rule.DEBIT_LIMIT: (
        lambda it: it.set_limits("alice", max_debit=99),
        lambda it: it.transfer("alice", "bob", 100),
    ),
    Rule.BALANCE_LIMIT: (
        lambda it: it.set_limits("bob", max_balance=1_099),
        lambda it: it.transfer("alice", "bob", 100),
    ),
    Rule.INSUFFICIENT_AVAILABLE: (a_held(), lambda it: it.transfer("alice", "bob", 501)),
    Rule.SUPPLY_OVERFLOW: (nothing, lambda it: it.mint("alice", MAX_AMOUNT - 1_999)),
    Rule.TOTAL_OVERFLOW: (there_and_back, lambda it: it.transfer("alice", "bob", 2**255)),
    Rule.CAUSE_REUSED: (
        lambda it: post(it, Movement("alice", "bob", 1, kind=Kind.CHAIN, cause=CAUSE)),
        lambda it: post(it, Movement("bob", "alice", 2, kind=Kind.CHAIN, cause=CAUSE)),
    ),
    Rule.ASSET_CLOSED: (
        lambda it: it.close_asset("SCI", it.head("SCI").seq),
        lambda it: it.transfer("alice", "bob", 1),
    ),
}
READ_ONLY_IS_TESTED_BELOW = {Rule.READ_ONLY}
IN_THE_CALLERS_TRANSACTION = {Rule.LOCK_ORDER, Rule.ISOLATION}
"""Only `Ledger.on` can refuse by these: `test_on_dangers` does, for each."""


def test_every_rule_has_its_refusal() -> None:
    elsewhere = READ_ONLY_IS_TESTED_BELOW | IN_THE_CALLERS_TRANSACTION
    assert set(REFUSALS) | elsewhere == set(Rule)
    assert not elsewhere & REFUSALS.keys()


@pytest.mark.parametrize("rule", REFUSALS, ids=str)
def test_each_rule_refuses_by_name_and_changes_nothing(database_url: str, rule: Rule) -> None:
    prepare, ask = REFUSALS[rule]
    with economy(database_url, "alice", "bob") as ledger:
        prepare(ledger)
        with unchanged(database_url), pytest.raises(RefusedError) as refusal:
            ask(ledger)
    assert refusal.value.rule == rule
    assert str(refusal.value).startswith(f"{rule}: ")


def test_minted_may_not_pass_2_to_256_however_small_the_supply(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        ledger.mint("alice", 2**255)
        ledger.burn("alice", 2**255)
        with unchanged(database_url), pytest.raises(RefusedError) as refusal:
            ledger.mint("alice", 2**255)
        assert refusal.value.rule == Rule.TOTAL_OVERFLOW


def test_a_ledger_without_its_pepper_is_read_only(database_url: str) -> None:
    issuer = Account(ISSUER, ZERO_ADDRESS, ZERO_HASH, ZERO_ADDRESS, derived=False, created_at=0)
    registrar = Address(b"\1" * 20)
    contents = Restore(LEDGER_ID, registrar, START, (), lambda: [issuer], lambda _: (), ())
    with Ledger.restore(database_url, contents) as ledger, unchanged(database_url):
        for ask in (
            lambda: ledger.create_asset("SCI", "Science"),
            lambda: ledger.mint("system", 1),
            lambda: ledger.create_account("alice"),
            lambda: post(ledger, Group((Movement("a", "b", 1),))),
        ):
            with pytest.raises(RefusedError) as refusal:
                ask()
            assert refusal.value.rule == Rule.READ_ONLY


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (Movement("alice", "bob", 9, "NO", idempotency_key="used"), Rule.KEY_REUSED),
        (Group((), "used"), Rule.KEY_REUSED),
        (Movement("alice", "bob", 9, "NO"), Rule.UNKNOWN_ASSET),
        (Group(()), Rule.GROUP_EMPTY),
        (Movement("alice", "nobody", 0, idempotency_key="used"), Rule.KEY_REUSED),
        (OpenAccount("alice", MAX_AMOUNT), Rule.ACCOUNT_EXISTS),
        (VoidHold(CAUSE, "used"), Rule.KEY_REUSED),
        (PostHold(CAUSE, idempotency_key="used"), Rule.KEY_REUSED),
        (Reverse(CAUSE, idempotency_key="used"), Rule.KEY_REUSED),
        (PlaceHold("nobody", 0, asset="NO", idempotency_key="used"), Rule.KEY_REUSED),
        (PlaceHold("nobody", 0, asset="NO"), Rule.UNKNOWN_ASSET),
        (PlaceHold("alice", 0, "nobody", expires_at=moment_of(0)), Rule.UNKNOWN_ACCOUNT),
        (PlaceHold("alice", 0, "alice", expires_at=moment_of(0)), Rule.EXPIRY_PASSED),
        (PlaceHold("alice", 0, "alice"), Rule.SAME_ACCOUNT),
        (PlaceHold("alice", 0), Rule.AMOUNT_ZERO),
        (SetLimits("nobody", "NO"), Rule.UNKNOWN_ASSET),
        (
            OpenAccount(
                "carol",
                address=Address(b"\x33" * 20),
                link=Link(LinkScheme.EIP712, signature=bytes(65)),
            ),
            Rule.LINK_INVALID,
        ),
        (Movement("nobody", "nobody", 0), Rule.UNKNOWN_ACCOUNT),
        (Movement("alice", "alice", 0), Rule.SAME_ACCOUNT),
        (Movement("alice", "alice", 5_000), Rule.SAME_ACCOUNT),
        (chain(ISSUER, ISSUER, 0), Rule.SAME_ACCOUNT),
        (Movement("alice", "bob", MAX_AMOUNT), Rule.INSUFFICIENT_AVAILABLE),
        (Movement(ISSUER, "bob", MAX_AMOUNT), Rule.SUPPLY_OVERFLOW),
    ],
    ids=str,
)
def test_of_several_rules_the_first_is_named(sqlite_url: str, item: Item, rule: Rule) -> None:
    with economy(sqlite_url, "alice", "bob") as ledger:
        ledger.transfer("alice", "bob", 1, idempotency_key="used")
        taken = Address(b"\x33" * 20)
        ledger.create_account("dave", address=taken, link=Link(LinkScheme.OPERATOR))
        refused(ledger.post_many([item])[0], rule)


def test_a_log_is_missed_only_where_all_else_is_well(database_url: str) -> None:
    """CAUSE_REUSED comes last; and within a group, a log is read once, too."""
    with economy(database_url, "alice", "bob") as ledger:
        first = Movement("alice", "bob", 1, kind=Kind.CHAIN, cause=CAUSE)
        with unchanged(database_url):
            refused(ledger.post_many([Group((first, first))])[0], Rule.CAUSE_REUSED)
        post(ledger, first)
        ledger.set_limits("alice", max_debit=10)
        with unchanged(database_url):
            poor = dataclasses.replace(first, from_account="bob", amount=5_000)
            refused(ledger.post_many([poor])[0], Rule.INSUFFICIENT_AVAILABLE)
            refused(ledger.post_many([dataclasses.replace(first, amount=11)])[0], Rule.DEBIT_LIMIT)
            refused(ledger.post_many([Group((first,))])[0], Rule.CAUSE_REUSED)


def test_not_found_can_be_caught_as_such(sqlite_url: str) -> None:
    with economy(sqlite_url, "alice") as ledger:
        for ask in (
            lambda: ledger.account("bob"),
            lambda: ledger.get_balance("bob"),
            lambda: ledger.get_statement("bob"),
            lambda: ledger.transfer("bob", "alice", 1),
            lambda: ledger.asset("NO"),
        ):
            with pytest.raises(NotFoundError):
                ask()


# --- bad input ---

BAD_AMOUNTS: list[Any] = [-1, 1.0, float("nan"), float("inf"), True, "1", None, MAX_AMOUNT + 1]


@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=repr)
def test_what_is_no_amount_is_refused(database_url: str, amount: Anything) -> None:
    with economy(database_url, "alice", "bob") as ledger, unchanged(database_url):
        for ask in (
            lambda: ledger.transfer("alice", "bob", amount),
            lambda: ledger.mint("alice", amount),
            lambda: ledger.burn("alice", amount),
            lambda: ledger.create_asset("NEW", "New", endowment=-1 if amount is None else amount),
            lambda: ledger.create_account("new", -1 if amount is None else amount),
        ):
            with pytest.raises(FieldError, match=r"amount|endowment|initial_balance"):
                ask()


BAD_IDS: list[Any] = [
    "", "a" * 256, "a\x00", "a\nb", "\x7f", "a\u0085", "\ud800", "\u0378", None, 5, b"alice",
    "0x" + "AB" * 20,
]  # fmt: skip


@pytest.mark.parametrize("account_id", BAD_IDS, ids=repr)
def test_what_is_no_account_id_is_refused(database_url: str, account_id: Anything) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        for ask, field in (
            (lambda: ledger.create_account(account_id), "account_id"),
            (lambda: ledger.transfer("alice", account_id, 1), "to_account"),
            (lambda: ledger.transfer(account_id, "alice", 1), "from_account"),
            (lambda: ledger.get_balance(account_id), "account_id"),
            (lambda: ledger.get_statement(account_id), "account_id"),
        ):
            with pytest.raises(FieldError) as refusal:
                ask()
            assert refusal.value.field == field


def test_the_longest_account_id_is_kept_whole(database_url: str) -> None:
    longest = "\U0001f600" * 255
    with economy(database_url) as ledger:
        ledger.create_account(longest, 5)
        assert ledger.get_balance(longest) == 5
        assert [account.account_id for account in ledger.accounts()] == [ISSUER, longest]


def test_ids_that_are_the_same_after_nfc_are_one_account(database_url: str) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    with economy(database_url) as ledger:
        assert ledger.create_account(decomposed, 5).account_id == composed
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account(composed)
        assert refusal.value.rule == Rule.ACCOUNT_EXISTS
        assert ledger.get_balance(composed) == ledger.get_balance(decomposed) == 5


def test_two_accounts_never_share_an_address(database_url: str) -> None:
    with economy(database_url) as ledger:
        derived = ledger.create_account("alice", 1).address
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account(str(derived).lower(), 1)
        assert refusal.value.rule == Rule.ADDRESS_TAKEN


def test_not_even_two_that_come_in_one_call(database_url: str) -> None:
    with economy(database_url) as ledger:
        derived = new_account("alice", LEDGER_ID, PEPPER, ledger.identity.registrar, 0).address
        one, two = ledger.post_many([OpenAccount(str(derived).lower(), 1), OpenAccount("alice", 1)])
        assert accepted(one).account is not None
        refused(two, Rule.ADDRESS_TAKEN)
        assert ledger.get_total_supply() == 1


@pytest.mark.parametrize("number", [0, 1, 2**16 - 1])
def test_addresses_that_nobody_can_hold_are_no_accounts(sqlite_url: str, number: int) -> None:
    with economy(sqlite_url) as ledger, unchanged(sqlite_url), pytest.raises(FieldError):
        ledger.create_account(f"0x{number:040x}", 1)


@pytest.mark.parametrize(
    "words",
    [
        {"reason": "a" * 256}, {"reason": 5}, {"reason": "\x00"}, {"reason": "\ud800"},
        {"reference_type": "a" * 256}, {"reference_id": b"x"}, {"memo": "é" * 2_049},
        {"idempotency_key": "a" * 256}, {"asset": ""}, {"asset": "a" * 65}, {"asset": 5},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_text_is_refused(sqlite_url: str, words: dict[str, Any]) -> None:
    with economy(sqlite_url, "alice", "bob") as ledger, unchanged(sqlite_url):
        with pytest.raises(FieldError) as refusal:
            ledger.transfer("alice", "bob", 1, **words)
        assert refusal.value.field in words


@pytest.mark.parametrize(
    "terms",
    [
        ("", "x", 0), ("a" * 65, "x", 0), ("A\x00", "x", 0), ("A", "x" * 256, 0), ("A", "x", 256),
        ("A", "x", -1), ("A", "x", 1.0), ("A", "x", True), ("A", None, "18"), ("A", "x", 75),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_asset_is_refused(sqlite_url: str, terms: tuple[Any, Any, Any]) -> None:
    with create(sqlite_url) as ledger, unchanged(sqlite_url), pytest.raises(FieldError):
        ledger.create_asset(*terms)


def test_text_of_every_kind_comes_back(database_url: str) -> None:
    texts = [
        "'",
        '"',
        "%s",
        "?",
        "\\",
        "\x01\t\n\r",
        "\\N",
        "é\u0301",
        "\U0001f600",
        " ",
        "a" * 255,
    ]
    with economy(database_url, "alice", "bob") as ledger:
        for text in texts:
            ledger.transfer(
                "alice", "bob", 1,
                reason=text, reference_type=text, reference_id=text, memo=text,
                idempotency_key=text,
            )  # fmt: skip
        found = [entry for entry in ledger.entries() if entry.idempotency_key]
        for text, entry in zip(texts, found, strict=True):
            words = (entry.reason, entry.reference_type, entry.reference_id, entry.memo)
            assert {*words, entry.idempotency_key} == {text}
        assert ledger.audit().ok


@pytest.mark.parametrize("item", ["alice", None, ("alice", "bob", 1)], ids=repr)
def test_what_is_no_item_is_refused(sqlite_url: str, item: Anything) -> None:
    with (
        economy(sqlite_url, "alice") as ledger,
        unchanged(sqlite_url),
        pytest.raises(FieldError, match="items"),
    ):
        ledger.post_many([item])


# --- idempotency ---


@pytest.mark.parametrize(
    "item",
    [
        Movement("alice", "bob", 1, reason="r", idempotency_key="k"),
        Movement("alice", "bob", 1, "SCI", reason="r", idempotency_key="k"),
        Group((Movement("alice", "bob", 1), Movement("bob", "alice", 2)), "k"),
        OpenAccount("new", 5, idempotency_key="k"),
        OpenAccount("new", 0, idempotency_key="k"),
        OpenAccount("new", idempotency_key="k"),
        dataclasses.replace(chain("alice", "bob", 0), idempotency_key="k"),
    ],
    ids=str,
)
def test_the_same_request_again_is_the_first_result(
    database_url: str, item: Movement | Group | OpenAccount
) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        made, again = map(accepted, ledger.post_many([item, item]))
        with unchanged(database_url):
            later = accepted(ledger.post_many([item])[0])
        assert not made.repeated
        assert again.repeated
        assert later == again
        assert later.account == made.account
        assert all(entry.repeated for entry in later.entries)
        assert [dataclasses.replace(e, repeated=False) for e in later.entries] == list(made.entries)
        assert ledger.audit().ok


def test_another_request_with_the_key_is_refused(database_url: str) -> None:
    base = Movement("alice", "bob", 1, idempotency_key="k")
    changes: dict[str, Any] = {
        "from_account": "carol", "to_account": "carol", "amount": 2, "reason": "r",
        "reference_type": "t", "reference_id": "i", "memo": "m",
    }  # fmt: skip
    others: list[Movement | Group | OpenAccount] = [
        dataclasses.replace(base, **{name: value}) for name, value in changes.items()
    ]
    others += [
        dataclasses.replace(base, kind=Kind.CHAIN, cause=CAUSE),
        Group((Movement("alice", "bob", 1),), "k"),
        OpenAccount("new", 1, idempotency_key="k"),
    ]
    with economy(database_url, "alice", "bob", "carol") as ledger:
        accepted(ledger.post_many([base])[0])
        with unchanged(database_url):
            for result in ledger.post_many(others):
                refused(result, Rule.KEY_REUSED)


def test_a_key_is_the_ledgers_not_the_assets(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("alice", 5, asset="B")
        ledger.transfer("alice", "bob", 1, asset="SCI", idempotency_key="k")
        refused(
            ledger.post_many([Movement("alice", "bob", 1, "B", idempotency_key="k")])[0],
            Rule.KEY_REUSED,
        )


def test_a_key_of_an_asset_that_this_process_has_not_seen(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger, Ledger.open(database_url) as other:
        ledger.transfer("alice", "bob", 1, asset="SCI")
        other.create_asset("B", "B")
        other.mint("alice", 5, asset="B", idempotency_key="k")
        refused(
            ledger.post_many([Movement("alice", "bob", 1, "SCI", idempotency_key="k")])[0],
            Rule.KEY_REUSED,
        )


def test_refusals_are_not_remembered(database_url: str) -> None:
    item = Movement("alice", "bob", 1_001, idempotency_key="k")
    with economy(database_url, "alice", "bob") as ledger:
        refused(ledger.post_many([item])[0], Rule.INSUFFICIENT_AVAILABLE)
        ledger.mint("alice", 1)
        assert not accepted(ledger.post_many([item])[0]).repeated


def test_an_account_comes_back_by_its_key(database_url: str) -> None:
    with economy(database_url) as ledger:
        made = ledger.create_account("alice", 5, idempotency_key="k")
        assert ledger.create_account("alice", 5, idempotency_key="k") == made
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account("alice", 6, idempotency_key="k")
        assert refusal.value.rule == Rule.KEY_REUSED


# --- groups ---


def test_a_group_is_posted_whole(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("bob", 10, asset="B")
        swap = Group(
            (
                Movement("alice", "bob", 7, "SCI", reason="swap"),
                Movement("bob", "alice", 3, "B", reason="swap"),
                Movement("alice", "bob", 1, "SCI", reason="fee"),
            ),
            "k",
        )
        entries = accepted(ledger.post_many([swap])[0]).entries
        assert [(e.asset, e.seq, e.reason) for e in entries] == [
            ("SCI", 3, "swap"), ("B", 2, "swap"), ("SCI", 4, "fee"),
        ]  # fmt: skip
        assert len({entry.timestamp for entry in entries}) == 1
        assert [entry.idempotency_key for entry in entries] == ["k", "", ""]
        ids = {asset.symbol: asset.id for asset in ledger.assets()}
        lowest = min((ids["SCI"], 3), (ids["B"], 2))
        assert {entry.group for entry in entries} == {group_id(ledger.identity.domain, *lowest, 3)}
        assert entries[0].timestamp > ledger.get_statement("alice", asset="SCI")[0].timestamp
        assert ledger.audit().ok


def test_a_group_of_one_is_an_entry_alone(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        [entry] = accepted(ledger.post_many([Group((Movement("alice", "bob", 1),))])[0]).entries
        assert entry.group == ZERO_HASH
        assert ledger.audit().ok


@pytest.mark.parametrize("bad", range(3))
def test_a_group_is_refused_whole(database_url: str, bad: int) -> None:
    movements = [Movement("alice", "bob", 1), Movement("bob", "carol", 1_001)]
    movements.insert(bad, Movement("alice", "bob", 1_000_000))
    with economy(database_url, "alice", "bob", "carol") as ledger, unchanged(database_url):
        refused(ledger.post_many([Group(tuple(movements))])[0], Rule.INSUFFICIENT_AVAILABLE)


def test_a_group_may_spend_what_it_has_just_brought(database_url: str) -> None:
    there = (Movement("alice", "bob", 1_000), Movement("bob", "carol", 2_000))
    with economy(database_url, "alice", "bob", "carol") as ledger:
        entries = accepted(ledger.post_many([Group(there)])[0]).entries
        assert [entry.balance_after_from for entry in entries] == [0, 0]
        with unchanged(database_url):  # but not what it will bring
            back = (Movement("bob", "alice", 1), Movement("carol", "bob", 1))
            refused(ledger.post_many([Group(back)])[0], Rule.INSUFFICIENT_AVAILABLE)


def test_a_group_of_1000_is_one_group(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        group = Group(tuple(Movement("alice", "bob", 1) for _ in range(1_000)))
        entries = accepted(ledger.post_many([group])[0]).entries
        assert len({(entry.group, entry.timestamp) for entry in entries}) == 1
        assert ledger.audit().ok


# --- post_many ---


def test_items_stand_on_their_own(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        results = ledger.post_many(
            [
                Movement("alice", "bob", 1_000),
                Movement("alice", "bob", 1),
                OpenAccount("carol", 7),
                Movement("carol", "alice", 7),
                Movement("alice", "dave", 1),
                Group((Movement("alice", "bob", 7), Movement("alice", "bob", 1))),
                Movement("alice", "bob", 7),
            ]
        )
        assert [isinstance(result, Receipt) for result in results] == [
            True, False, True, True, False, False, True,
        ]  # fmt: skip
        assert [b.balance for b in ledger.balances()] == [0, 2_007, 0]
        times = [entry.timestamp for entry in ledger.entries()]
        assert times == sorted(set(times))
        assert ledger.audit().ok


def test_runs_are_of_at_most_5000_and_never_cut_a_group(database_url: str) -> None:
    heads: dict[int, int] = {}

    def items(ledger: Ledger) -> Iterator[Movement | Group]:
        for number in range(4_999):
            yield Movement(*(("alice", "bob") if number % 2 else ("bob", "alice")), 1)
        yield Group((Movement("alice", "bob", 1),) * 2)
        heads[4_999] = ledger.head().seq
        yield from [Movement("bob", "alice", 1)] * 500
        heads[5_501] = ledger.head().seq

    with economy(database_url, "alice", "bob") as ledger:
        results = ledger.post_many(items(ledger))
        assert len(results) == 4_999 + 1 + 500
        assert heads == {4_999: 2 + 4_999, 5_501: 2 + 4_999}
        assert ledger.head().seq == 2 + 5_501
        seqs = [entry.seq for result in results for entry in accepted(result).entries]
        assert seqs == list(range(3, 2 + 5_501 + 1))
        assert ledger.audit().ok


def test_nothing_is_posted_for_nothing(database_url: str) -> None:
    with economy(database_url) as ledger, unchanged(database_url):
        assert ledger.post_many([]) == []


def test_entries_read_from_a_chain_may_be_of_zero_or_to_self(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        items = [
            chain("alice", "bob", 0),
            chain("alice", "alice", 0),
            chain("alice", "alice", 1_000),
            chain(ISSUER, "bob", 0),
            chain("bob", ISSUER, 0),
        ]
        results = ledger.post_many([*items, chain("alice", "alice", 1_001)])
        refused(results.pop(), Rule.INSUFFICIENT_AVAILABLE)
        entries = [accepted(result).entries[0] for result in results]
        assert [(e.balance_after_from, e.balance_after_to) for e in entries] == [
            (1_000, 1_000), (1_000, 1_000), (1_000, 1_000), (2_000, 1_000), (1_000, 2_000),
        ]  # fmt: skip
        assert {(e.origin, e.kind) for e in entries} == {("chain", "chain")}
        assert [e.cause for e in entries] == [item.cause for item in items]
        assert ledger.balance("alice").total_spent == 1_000
        assert ledger.audit().ok


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (Kind.CHAIN, ZERO_HASH), (Kind.PLAIN, CAUSE), (Kind.REVERSAL, ZERO_HASH),
        (Kind.HOLD, CAUSE), (Kind.SIGNED, CAUSE), ("other", CAUSE), (Kind.CHAIN, b"\1" * 32),
    ],
)  # fmt: skip
def test_a_caller_posts_no_other_kind(kind: Anything, cause: Anything) -> None:
    with pytest.raises(FieldError, match=r"kind|cause"):
        Movement("alice", "bob", 1, kind=kind, cause=cause)


# --- assets and time ---


def test_assets_are_numbered_and_read_back(database_url: str) -> None:
    operator = Address(b"\5" * 20)
    with create(database_url) as ledger:
        first = ledger.create_asset("A", "First", 0, endowment=3, operator=operator)
        second = ledger.create_asset("Ω", "Second", 255, endowment=0)
        assert (first.number, second.number) == (1, 2)
        assert ledger.assets() == [first, second]
        assert ledger.asset("Ω") == second
        with pytest.raises(RefusedError) as refusal:
            ledger.asset()
        assert refusal.value.rule == Rule.ASSET_REQUIRED
        assert ledger.get_total_supply("A") == 0
        assert ledger.head("A").seq == 0


def test_the_operator_is_set_once(database_url: str) -> None:
    one, two = Address(b"\1" * 20), Address(b"\2" * 20)
    with economy(database_url) as ledger:
        assert ledger.set_operator("SCI", one).operator == one
        with unchanged(database_url):
            assert ledger.set_operator("SCI", one).operator == one
            with pytest.raises(FieldError, match="operator"):
                ledger.set_operator("SCI", two)
        assert ledger.asset("SCI").operator == one


def test_a_call_needs_no_asset_while_there_is_one(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger, Ledger.open(database_url) as other:
        ledger.transfer("alice", "bob", 1)
        other.create_asset("B", "B")  # which the first ledger object does not know
        with pytest.raises(RefusedError) as refusal:
            ledger.transfer("alice", "bob", 1)
        assert refusal.value.rule == Rule.ASSET_REQUIRED
        assert other.mint("alice", 5, asset="B").seq == 1
        assert ledger.get_balance("alice", "B") == 5


def test_an_account_without_an_asset_needs_none(database_url: str) -> None:
    with create(database_url) as ledger:
        assert ledger.create_account("alice", 0).derived
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account("bob")
        assert refusal.value.rule == Rule.ASSET_REQUIRED


def test_time_grows_even_where_the_clock_goes_back(database_url: str) -> None:
    clock = Clock()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        first = ledger.transfer("alice", "bob", 1)
        clock.now = 5
        second, third = (ledger.transfer("alice", "bob", 1) for _ in range(2))
        assert [second.timestamp, third.timestamp] == [first.timestamp + 1, first.timestamp + 2]


def test_a_group_is_later_than_each_of_its_journals(database_url: str) -> None:
    clock = Clock()
    with economy(database_url, "alice", "bob", clock=clock) as ledger:
        ledger.create_asset("B", "B")
        ledger.mint("alice", 10, asset="B")
        clock.now += 10**9
        ahead = ledger.transfer("alice", "bob", 1, asset="SCI").timestamp
        clock.now = START
        movements = (Movement("alice", "bob", 1, "B"), Movement("alice", "bob", 1, "SCI"))
        entries = accepted(ledger.post_many([Group(movements)])[0]).entries
        assert {entry.timestamp for entry in entries} == {ahead + 1}


def test_the_databases_clock_is_the_default(database_url: str) -> None:
    before = datetime.now(UTC)
    with Ledger.create(database_url) as ledger:
        ledger.create_asset("SCI", "Science")
        ledger.create_account("alice", 5)
        [entry] = ledger.get_statement("alice")
        assert before <= entry.time <= datetime.now(UTC)


def test_what_is_open_twice_is_one_ledger(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger, Ledger.open(database_url) as other:
        assert other.identity == ledger.identity
        other.transfer("alice", "bob", 5)
        assert ledger.get_balance("bob") == 1_005
        assert ledger.transfer("bob", "alice", 5).seq == 4


def test_every_error_is_a_ledger_error() -> None:
    assert issubclass(RefusedError, LedgerError)
    assert issubclass(FieldError, RefusedError | ValueError)
    assert issubclass(NotFoundError, RefusedError | LookupError)


def test_items_are_many(sqlite_url: str) -> None:
    with economy(sqlite_url, "alice") as ledger, unchanged(sqlite_url):
        with pytest.raises(FieldError, match="items: must be items, not int"):
            ledger.post_many(5)  # type: ignore[arg-type]  # as a caller may
        with pytest.raises(FieldError, match="items: must be items, not int"):
            ledger.post_many(5, dry_run=True)  # type: ignore[arg-type]  # as above
