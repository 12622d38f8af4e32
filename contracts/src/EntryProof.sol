// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILedgerToken} from "./interfaces/ILedgerToken.sol";
import {Digests} from "./libraries/Digests.sol";
import {LogTree} from "./libraries/LogTree.sol";

/// @title EntryProof: does a ledger contain this entry, and did its journal only grow?
/// @notice Without state, owner or power: it recomputes what a proof file of `evm-ledger prove` says. Every function
/// answers false for what is not proved, and reverts only where `token` does not answer.
/// WARNING: an answer is worth what its anchor is worth, a root, a batch or a token that the caller has from elsewhere.
contract EntryProof {
    /// @notice The seven words of an entry, as its id hashes them (EIP-712); `timestamp` in microseconds UTC.
    struct Entry {
        bytes32 asset;
        uint64 seq;
        address from;
        address to;
        uint256 amount;
        uint64 timestamp;
        bytes32 ref;
    }

    bytes32 private constant ENTRY_TYPEHASH = keccak256(
        "Entry(bytes32 asset,uint64 seq,address from,address to,uint256 amount,uint64 timestamp,bytes32 ref)"
    );

    /// @notice The id of an entry: its EIP-712 digest in the ledger's domain.
    function entryId(bytes32 ledgerId, Entry calldata entry) public pure returns (bytes32) {
        return Digests.digest(Digests.ledgerDomain(ledgerId), keccak256(abi.encode(ENTRY_TYPEHASH, entry)));
    }

    /// @notice The id of a batch, which seals and the histories of tokens commit to.
    function batchId(bytes32 ledgerId, Digests.Batch calldata batch) public pure returns (bytes32) {
        return Digests.batchId(Digests.ledgerDomain(ledgerId), batch);
    }

    /// @notice Whether the batch's tree has the entry as its leaf number `seq`. The tree is over the whole journal up
    /// to the batch's last entry, so the entry may be older than the batch.
    function isInBatch(bytes32 ledgerId, Entry calldata entry, Digests.Batch calldata batch, bytes32[] calldata path)
        public
        pure
        returns (bool)
    {
        if (entry.asset != batch.asset || entry.seq == 0) return false;
        return LogTree.isIncluded(entryId(ledgerId, entry), entry.seq - 1, batch.lastSeq, path, batch.treeRoot);
    }

    /// @notice Whether the batch is one that `token` replayed, and has the entry in its tree.
    /// @param prevHistory The token's history before the batch.
    /// @param later The ids of the batches that it replayed after this one, in order.
    /// WARNING: `token` must be one that the caller knows to be a LedgerToken. That the root is the one of the entries
    /// that were replayed is the word of the token's operator, which anybody with the journal can check.
    function isReplayed(
        ILedgerToken token,
        Entry calldata entry,
        Digests.Batch calldata batch,
        bytes32[] calldata path,
        bytes32 prevHistory,
        bytes32[] calldata later
    ) external view returns (bool) {
        bytes32 ledgerId = token.ledgerId();
        if (batch.asset != token.assetId() || !isInBatch(ledgerId, entry, batch, path)) return false;
        bytes32 history = Digests.nextHistory(prevHistory, batchId(ledgerId, batch));
        for (uint256 i = 0; i < later.length; ++i) history = Digests.nextHistory(history, later[i]);
        return history == token.history();
    }

    /// @notice Whether the new batch's tree begins with all the entries of the old one's: the journal only grew.
    function isExtended(Digests.Batch calldata old, Digests.Batch calldata new_, bytes32[] calldata path)
        external
        pure
        returns (bool)
    {
        if (old.asset != new_.asset) return false;
        return LogTree.isExtended(old.lastSeq, old.treeRoot, new_.lastSeq, new_.treeRoot, path);
    }
}
