"""Golden vectors of the formats: every value of a vectors file, recomputed and compared.

A file in the format of `tests/data/vectors_v1.json` is a proof by someone else that two programs
hash the same. Each check compares one value with what this package makes of the values that it
depends on, as the file states them, so that one wrong value is one difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ledger import ids
from ledger.addresses import (
    account_blind,
    account_key,
    account_salt,
    create2_address,
    entry_blind,
    normalize_account_id,
)
from ledger.documents import Part
from ledger.encoding import TYPES, address_word, ledger_domain, uint_word
from ledger.errors import FieldError
from ledger.hashing import keccak, keccak_text
from ledger.merkle import Frontier
from ledger.model import AssetTerms, Batch, EntryWords, Hash32, Metadata, Record, Seal
from ledger.payload import decode_payload, encode_payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TRANSFER: Final = Hash32(keccak_text("Transfer(address,address,uint256)"))
_REFUSED: Final = "refused"


class Check(NamedTuple):
    """One value of the file: its name in it, what the file says, and what it should say."""

    name: str
    stated: str
    computed: str

    @property
    def agrees(self) -> bool:
        """Tell whether the file is right about this value."""
        return self.stated == self.computed


def first_difference(document: object) -> Check | None:
    """Return the first value of `document` (parsed JSON) that differs, or None if all agree.

    Raises:
        FieldError: naming the key, as `checks` does.
    """
    return next((check for check in checks(document) if not check.agrees), None)


def checks(document: object) -> Iterator[Check]:
    """Yield a check for every value of `document` (parsed JSON), in the order of the format.

    Raises:
        FieldError: naming the key, if a value is missing, malformed, or of no part of the format
            (a value that nothing checks would pass for a checked one).
    """
    file = Part(document)
    domain = ledger_domain(file["ledgerId"].hash32())
    yield from _check_ledger(file, domain)
    for account in file["accounts"].items(at_least=1):
        yield from _check_account(file, account)
    yield from _check_journal(file, domain)
    yield from _check_batch(file, domain)
    yield from _check_history_and_seals(file, domain)
    yield from _check_link_and_claim(file, domain)
    for entry, log in file.pairs("entries", "logs"):
        yield from _check_log(entry["entry"], log)
    for example in file["payloads"].items(at_least=1):
        yield from _check_payload(example)
    for refused in file["refusedPayloads"].items(at_least=1):
        outcome = _decoded(refused["payload"].hex_bytes())
        yield Check(refused["payload"].name, _REFUSED, outcome[: len(_REFUSED)])
    for name, text in TYPES.items():
        yield _text_check(file["types"][name], text)
    file.refuse_unread()


def _text_check(part: Part, computed: str) -> Check:
    """Return the check of a text."""
    return Check(part.name, part.text(), computed)


def _uint_check(part: Part, computed: int) -> Check:
    """Return the check of an integer."""
    return Check(part.name, str(part.uint(256)), str(computed))


def _hash_check(part: Part, computed: bytes) -> Check:
    """Return the check of 32 bytes."""
    return Check(part.name, str(part.hash32()), str(Hash32(computed)))


def _check_ledger(file: Part, domain: bytes) -> Iterator[Check]:
    """Check the values that belong to the whole ledger."""
    asset = file["asset"]
    terms = AssetTerms(asset["symbol"].text(), asset["name"].text(), asset["decimals"].uint(8))
    yield _uint_check(file["ledgerChainId"], ids.ledger_chain_id(file["ledgerId"].hash32()))
    yield _hash_check(asset["id"], ids.asset_id(terms))
    yield _hash_check(file["domainSeparator"], domain)


def _check_account(file: Part, account: Part) -> Iterator[Check]:
    """Check one account from its name to its address."""
    account_id = normalize_account_id(account["account_id"].text(), account["account_id"].name)
    blind, key, salt = (account[name].hash32() for name in ("blind", "key", "salt"))
    yield _hash_check(account["blind"], account_blind(file["pepper"].hash32(), account_id))
    yield _hash_check(account["key"], account_key(blind, account_id))
    registrar = file["registrar"].address()
    yield _hash_check(account["salt"], account_salt(file["ledgerId"].hash32(), key, registrar))
    factory, code = file["create2"]["factory"].address(), file["create2"]["initCodeHash"].hash32()
    stated = str(account["address"].address())
    yield Check(account["address"].name, stated, str(create2_address(factory, salt, code)))


def _check_journal(file: Part, domain: bytes) -> Iterator[Check]:
    """Check the first head, the group, every entry with its head, and the root after each."""
    asset, group = file["asset"]["id"].hash32(), file["group"]["value"]
    yield _hash_check(file["head0"], ids.first_head(domain, asset))
    members = (group["asset"].hash32(), group["seq"].uint(64), group["count"].uint(32))
    yield _hash_check(file["group"]["id"], ids.group_id(domain, *members))
    heads = [file["head0"], *(entry["head"] for entry in file["entries"].items())]
    for seq, (before, part) in enumerate(zip(heads, file["entries"].items(), strict=False), 1):
        metadata, entry = _metadata(part["metadata"]), _entry(part["entry"])
        blind = entry_blind(file["pepper"].hash32(), asset, seq)
        yield _hash_check(part["metadata"]["blind"], blind)
        yield _hash_check(part["entry"]["asset"], asset)
        yield _uint_check(part["entry"]["seq"], seq)
        yield _hash_check(part["entry"]["ref"], ids.metadata_ref(metadata))
        yield _hash_check(part["id"], ids.entry_id(domain, entry))
        yield _hash_check(part["head"], ids.next_head(before.hash32(), part["id"].hash32()))
    yield from _check_roots(file)


def _check_roots(file: Part) -> Iterator[Check]:
    """Check the root of the tree over no entry, the first, the first two, and so on."""
    frontier, steps = Frontier(), file.pairs("entries", "treeRoots", extra=1)
    yield _hash_check(file["treeRoots"].items()[0], frontier.root())
    for entry, root in steps:
        frontier = frontier.append(entry["id"].hash32())
        yield _hash_check(root, frontier.root())


def _check_batch(file: Part, domain: bytes) -> Iterator[Check]:
    """Check the batch against the entries, heads and roots that it takes in."""
    part, entries = file["batch"], file["entries"].items()
    batch = _batch(part)
    if not 1 <= batch.first_seq <= batch.last_seq <= len(entries):
        raise FieldError("batch.lastSeq", f"must be firstSeq .. {len(entries)}, all from 1")
    heads = [file["head0"], *(entry["head"] for entry in entries)]
    yield _hash_check(part["asset"], file["asset"]["id"].hash32())
    yield _hash_check(part["prevHead"], heads[batch.first_seq - 1].hash32())
    yield _hash_check(part["newHead"], heads[batch.last_seq].hash32())
    yield _hash_check(part["treeRoot"], file["treeRoots"].items()[batch.last_seq].hash32())
    yield _hash_check(part["payloadHash"], keccak(part["payload"].hex_bytes()))
    records = [_record(e["entry"]) for e in entries[batch.first_seq - 1 : batch.last_seq]]
    yield Check(part["payload"].name, _hex(part["payload"].hex_bytes()), _encoded(records))
    yield _hash_check(part["id"], ids.batch_id(domain, batch))


def _check_history_and_seals(file: Part, domain: bytes) -> Iterator[Check]:
    """Check the on-chain history (before and after the one batch) and every seal."""
    history = file["history"].items()
    if len(history) != 2:  # noqa: PLR2004 (history_0, and history_1 after the one batch)
        raise FieldError("history", f"must have 2 items, not {len(history)}")
    yield _hash_check(history[0], file["head0"].hash32())
    batch = file["batch"]["id"].hash32()
    yield _hash_check(history[1], ids.next_history(history[0].hash32(), batch))
    for part in file["seals"].items(at_least=1):
        yield _hash_check(part["id"], ids.seal_id(domain, _seal(part)))


def _check_link_and_claim(file: Part, domain: bytes) -> Iterator[Check]:
    """Check the two digests that wallets sign."""
    link, claim = file["link"], file["claim"]
    account_id = normalize_account_id(link["accountId"].text(), link["accountId"].name)
    wallet, chain_id = link["wallet"].address(), link["chainId"].uint(256)
    yield _hash_check(link["digest"], ids.link_digest(domain, account_id, wallet, chain_id))
    token = claim["domain"]
    yield _text_check(token["version"], "1")
    name, chain_id = token["name"].text(), token["chainId"].uint(256)
    token_domain = ids.claim_domain(name, chain_id, token["verifyingContract"].address())
    key, wallet = claim["key"].hash32(), claim["wallet"].address()
    nonce, deadline = claim["nonce"].uint(256), claim["deadline"].uint(256)
    yield _hash_check(claim["digest"], ids.claim_digest(token_domain, key, wallet, nonce, deadline))


def _check_log(entry: Part, log: Part) -> Iterator[Check]:
    """Check an entry's `Transfer` log (EIP-20): three topics, and the amount as its data."""
    from_, to, amount = _record(entry)
    topics = log["topics"].items()
    computed = (_TRANSFER, address_word(from_), address_word(to))
    if len(topics) != len(computed):
        raise FieldError(log["topics"].name, f"must have {len(computed)} items")
    for topic, word in zip(topics, computed, strict=True):
        yield _hash_check(topic, word)
    yield _hash_check(log["data"], uint_word(amount))


def _check_payload(example: Part) -> Iterator[Check]:
    """Check a payload in both directions, and its hash."""
    records = tuple(_record(record) for record in example["records"].items())
    payload = example["payload"].hex_bytes()
    yield Check(example["payload"].name, _hex(payload), _encoded(records))
    yield Check(example["records"].name, str(records), _decoded(payload))
    yield _hash_check(example["payloadHash"], keccak(payload))


def _encoded(records: Sequence[Record]) -> str:
    """Return the payload of `records` in hex, or why they have none."""
    try:
        return _hex(encode_payload(records))
    except FieldError as error:
        return f"{_REFUSED}: {error.message}"


def _decoded(payload: bytes) -> str:
    """Return the records of `payload` as text, or why it is refused."""
    try:
        return str(decode_payload(payload))
    except FieldError as error:
        return f"{_REFUSED}: {error.message}"


def _hex(some: bytes) -> str:
    """Return 0x and the lower-case digits of `some`."""
    return "0x" + some.hex()


def _record(part: Part) -> Record:
    """Read the three values of an entry that a chain sees."""
    return Record(part["from"].address(), part["to"].address(), part["amount"].uint(256))


def _metadata(part: Part) -> Metadata:
    """Read the metadata of an entry."""
    return Metadata(
        reason=part["reason"].text(),
        reference_type=part["referenceType"].text(),
        reference_id=part["referenceId"].text(),
        memo=part["memo"].text(),
        idempotency_key=part["idempotencyKey"].text(),
        group=part["group"].hash32(),
        kind=part["kind"].text(),
        cause=part["cause"].hash32(),
        blind=part["blind"].hash32(),
    )


def _entry(part: Part) -> EntryWords:
    """Read the seven words of an entry."""
    from_, to, amount = _record(part)
    return EntryWords(
        asset=part["asset"].hash32(),
        seq=part["seq"].uint(64),
        from_=from_,
        to=to,
        amount=amount,
        timestamp=part["timestamp"].uint(64),
        ref=part["ref"].hash32(),
    )


def _batch(part: Part) -> Batch:
    """Read the words of a batch."""
    return Batch(
        asset=part["asset"].hash32(),
        number=part["number"].uint(64),
        first_seq=part["firstSeq"].uint(64),
        last_seq=part["lastSeq"].uint(64),
        prev_head=part["prevHead"].hash32(),
        new_head=part["newHead"].hash32(),
        tree_root=part["treeRoot"].hash32(),
        payload_hash=part["payloadHash"].hash32(),
    )


def _seal(part: Part) -> Seal:
    """Read the words of a seal."""
    return Seal(
        number=part["number"].uint(64),
        prev_seal=part["prevSeal"].hash32(),
        timestamp=part["timestamp"].uint(64),
        batches=tuple(batch.hash32() for batch in part["batches"].items()),
    )
