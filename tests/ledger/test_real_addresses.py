"""Accounts at an address of their owner's: proved, recorded, and theirs for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from eth_typing import Hash32 as Digest

from ledger import (
    ISSUER,
    Address,
    FieldError,
    Hash32,
    Ledger,
    Link,
    LinkScheme,
    OpenAccount,
    RefusedError,
    Rule,
    link_message,
    link_typed_data,
)
from ledger.addresses import DEPLOYMENT_PROXY
from ledger.encoding import ledger_domain
from ledger.formats import FACTORY
from ledger.ids import link_digest
from ledger.links import message_digest
from tests.contracts.people import ALICE, BOB, malleable
from tests.ledger.support import LEDGER_ID, accepted, attacker, economy, raw, unchanged

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

HERS: Final = Address.parse(ALICE.address)
HIS: Final = Address.parse(BOB.address)
OPERATOR: Final = Link(LinkScheme.OPERATOR)
CONTRACT: Final = Link(LinkScheme.ERC1271, 2**64 + 1, b"\x01\x02")


def signed(
    account_id: str = "alice",
    scheme: LinkScheme = LinkScheme.EIP712,
    *,
    ledger_id: Hash32 = LEDGER_ID,
    signer: LocalAccount = ALICE,
) -> Link:
    address = Address.parse(signer.address)
    digest = (
        link_digest(ledger_domain(ledger_id), account_id, address, 0)
        if scheme is LinkScheme.EIP712
        else message_digest(link_message(ledger_id, account_id, address))
    )
    return Link(scheme, 0, bytes(signer.unsafe_sign_hash(Digest(digest)).signature))


LINKS: Final = {
    LinkScheme.EIP712: signed(),
    LinkScheme.EIP191: signed(scheme=LinkScheme.EIP191),
    LinkScheme.ERC1271: CONTRACT,
    LinkScheme.OPERATOR: OPERATOR,
}


@pytest.mark.parametrize("scheme", LinkScheme)
def test_an_account_has_its_owners_address(database_url: str, scheme: LinkScheme) -> None:
    link = LINKS[scheme]
    with economy(database_url, "bob") as ledger:
        made = ledger.create_account("alice", 100, address=HERS, link=link)
        assert (made.address, made.link, made.derived) == (HERS, link, False)
        assert ledger.transfer("bob", "alice", 5).to_address == HERS
        assert ledger.transfer("alice", "bob", 7).from_address == HERS
        assert ledger.balance("alice").address == HERS
        assert ledger.account("bob").link is None
    with Ledger.open(database_url) as ledger:
        assert ledger.account("alice") == made
        assert [it.link for it in ledger.accounts() if it.account_id == "alice"] == [link]
        ledger.seal()
        report = ledger.audit()
        assert report.ok, report.finding


def test_in_a_batch_each_proof_stands_for_itself(database_url: str) -> None:
    items = [
        OpenAccount("alice", 1, address=HERS, link=signed()),
        OpenAccount("alice-2", 1, address=HERS, link=signed("alice-2")),
        OpenAccount("bob", 1, address=HIS, link=signed()),
        OpenAccount("bob", 1, address=HIS, link=signed("bob", signer=BOB)),
        OpenAccount("carol", 1),
    ]
    with economy(database_url) as ledger:
        results = ledger.post_many(items)
        assert [it.rule if isinstance(it, RefusedError) else None for it in results] == [
            None,
            Rule.ADDRESS_TAKEN,
            Rule.LINK_INVALID,
            None,
            None,
        ]
        assert accepted(results[0]).account == ledger.account("alice")
        assert ledger.account("carol").derived
        assert ledger.audit().ok


WRONG: Final[dict[str, dict[str, Any]]] = {
    "another's signature": {"address": HIS, "link": signed()},
    "for another account": {"address": HERS, "link": signed("bob")},
    "for another ledger": {"address": HERS, "link": signed(ledger_id=Hash32(bytes(32)))},
    "of the other scheme": {
        "address": HERS,
        "link": Link(LinkScheme.EIP191, 0, signed().signature),
    },
    "in its other form": {
        "address": HERS,
        "link": Link(LinkScheme.EIP712, 0, malleable(signed().signature or b"")),
    },
    "cut short": {"address": HERS, "link": Link(LinkScheme.EIP712, 0, bytes(64))},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_proves_nothing_changes_nothing(database_url: str, case: str) -> None:
    with economy(database_url, "bob") as ledger, unchanged(database_url):
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account("alice", **WRONG[case])
        assert refusal.value.rule is Rule.LINK_INVALID


NOT_LINKABLE: Final = {
    "zero": Address(bytes(20)),
    "a precompile": Address((1).to_bytes(20, "big")),
    "the last that is kept": Address((2**16 - 1).to_bytes(20, "big")),
    "the deployment proxy": DEPLOYMENT_PROXY,
    "the factory": FACTORY,
}


@pytest.mark.parametrize("case", NOT_LINKABLE)
def test_where_tokens_would_strand_no_account_lies(database_url: str, case: str) -> None:
    with economy(database_url) as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refusal:
            ledger.create_account("alice", address=NOT_LINKABLE[case], link=OPERATOR)
        assert refusal.value.field == "address"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"address": HERS}, "link"),
        ({"link": OPERATOR}, "link"),
        ({"address": str(HERS), "link": OPERATOR}, "address"),
        ({"address": bytes(HERS), "link": OPERATOR}, "address"),
        ({"address": HERS, "link": "operator"}, "link"),
        ({"address": HERS, "link": b"\x01" * 65}, "link"),
    ],
)
def test_an_address_goes_with_its_proof(
    database_url: str, fields: dict[str, Any], field: str
) -> None:
    with economy(database_url) as ledger, unchanged(database_url):
        with pytest.raises(FieldError) as refusal:
            ledger.create_account("alice", **fields)
        assert refusal.value.field == field


def test_an_id_that_is_an_address_has_no_other(database_url: str) -> None:
    own = f"0x{HIS.hex()}"
    with economy(database_url) as ledger, unchanged(database_url):
        for address in (HERS, HIS):
            with pytest.raises(FieldError) as refusal:
                ledger.create_account(own, address=address, link=OPERATOR)
            assert refusal.value.field == "address"


def test_the_issuer_gets_no_address(database_url: str) -> None:
    with economy(database_url) as ledger, unchanged(database_url), pytest.raises(RefusedError):
        ledger.create_account(ISSUER, address=HERS, link=OPERATOR)


def test_an_address_belongs_to_one_account(database_url: str) -> None:
    with economy(database_url, "bob") as ledger:
        ledger.create_account("alice", address=HERS, link=signed())
        derived = ledger.account("bob").address
        taken = {"carol": HERS, "dave": derived}
        with unchanged(database_url):
            for account_id, address in taken.items():
                with pytest.raises(RefusedError) as refusal:
                    ledger.create_account(account_id, address=address, link=OPERATOR)
                assert refusal.value.rule is Rule.ADDRESS_TAKEN
            with pytest.raises(RefusedError) as refusal:
                ledger.create_account(f"0x{HERS.hex()}")
            assert refusal.value.rule is Rule.ADDRESS_TAKEN


def test_a_proof_of_an_account_that_exists_changes_nothing(database_url: str) -> None:
    with economy(database_url, "alice") as ledger, unchanged(database_url):
        with pytest.raises(RefusedError) as refusal:
            ledger.create_account("alice", address=HERS, link=signed())
        assert refusal.value.rule is Rule.ACCOUNT_EXISTS


def test_an_id_is_normalised_before_its_proof_is_checked(database_url: str) -> None:
    with economy(database_url) as ledger:
        made = ledger.create_account("cafe\u0301", address=HERS, link=signed("caf\u00e9"))
        assert (made.account_id, made.address) == ("caf\u00e9", HERS)


def test_the_same_request_again_is_the_same_account(database_url: str) -> None:
    with economy(database_url) as ledger:
        item = OpenAccount("alice", None, None, "open-alice", HERS, signed())
        [first] = ledger.post_many([item])
        made = accepted(first).account
        with unchanged(database_url):
            [again] = ledger.post_many([item])
            assert accepted(again).account == made
            assert accepted(again).repeated
            for other in (replace(item, address=HIS), replace(item, address=None, link=None)):
                [result] = ledger.post_many([other])
                assert isinstance(result, RefusedError)
                assert result.rule is Rule.KEY_REUSED


def test_what_the_typed_data_says_can_be_signed_for_this_ledger(database_url: str) -> None:
    with economy(database_url) as ledger:
        asked = link_typed_data(ledger.identity.ledger_id, "alice", HERS)
        signature = ALICE.sign_typed_data(full_message=asked).signature
        link = Link(LinkScheme.EIP712, signature=signature)
        assert ledger.create_account("alice", address=HERS, link=link).link == signed()


# --- behind the ledger's back ---

SPOILT: Final = {
    "an address that she did not prove": ("address = ?", bytes(HIS)),
    "an altered signature": ("link_signature = ?", b"\x02" * 65),
    "no signature": ("link_signature = ?", None),
    "another scheme": ("link = ?", "eip191"),
    "no proof at all": ("link = ?", None),
    "another chain": ("link_chain_id = ?", "1"),
    "a chain id that is none": ("link_chain_id = ?", "x"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_an_audit_finds_an_altered_proof(database_url: str, case: str) -> None:
    with economy(database_url) as ledger:
        ledger.create_account("alice", 0, address=HERS, link=signed())
        assert ledger.audit().ok
        change, value = SPOILT[case]
        with attacker(database_url) as database:
            sql = f"UPDATE token_accounts SET {change} WHERE account_id = 'alice'"  # noqa: S608 (our own)
            database.run(sql, value)
        finding = ledger.audit().finding
        assert finding is not None
        assert (finding.table, finding.row) == ("token_accounts", "alice")


def test_the_database_knows_the_schemes(database_url: str) -> None:
    with economy(database_url) as ledger:
        ledger.create_account("alice", 0, address=HERS, link=signed())
        with raw(database_url) as database, pytest.raises(Exception, match="link_known"):
            database.run("UPDATE token_accounts SET link = 'trust-me' WHERE account_id = 'alice'")
