// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title LogTree: proofs of the tree over a journal (RFC 9162, section 2.1, with keccak-256)
/// @dev Leaf and node hashes begin with different bytes, so no node passes for a leaf. fn and sn are the RFC's names.
library LogTree {
    /// @dev Whether `leaf` is the one at `index` (from 0) of the tree of `size` leaves with that root (2.1.3.2).
    function isIncluded(bytes32 leaf, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root)
        internal
        pure
        returns (bool)
    {
        if (index >= size) return false;
        (uint256 fn, uint256 sn) = (index, size - 1);
        bytes32 reached = keccak256(abi.encodePacked(hex"00", leaf));
        for (uint256 i = 0; i < path.length; ++i) {
            if (sn == 0) return false;
            bool isRight = _isRight(fn, sn);
            reached = isRight ? _node(path[i], reached) : _node(reached, path[i]);
            (fn, sn) = _climb(fn, sn, isRight);
        }
        return sn == 0 && reached == root;
    }

    /// @dev Whether the tree of `newSize` leaves only appended to that of `oldSize` (2.1.4.2). The path is empty in the
    /// two cases that the RFC leaves out: equal sizes have equal roots, and every tree extends the empty one.
    function isExtended(uint256 oldSize, bytes32 oldRoot, uint256 newSize, bytes32 newRoot, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (oldSize > newSize || (oldSize == 0 && oldRoot != keccak256(""))) return false;
        if (oldSize == newSize) return path.length == 0 && oldRoot == newRoot;
        if (oldSize == 0 || path.length == 0) return oldSize == 0 && path.length == 0;
        (uint256 fn, uint256 sn) = (oldSize - 1, newSize - 1);
        while (fn & 1 == 1) (fn, sn) = (fn >> 1, sn >> 1);
        // An old tree that is one full subtree of the new one is not in the path: the verifier has its root.
        bool isSubtree = oldSize & (oldSize - 1) == 0;
        (bytes32 a, bytes32 b) = isSubtree ? (oldRoot, oldRoot) : (path[0], path[0]);
        for (uint256 i = isSubtree ? 0 : 1; i < path.length; ++i) {
            if (sn == 0) return false;
            bool isRight = _isRight(fn, sn);
            if (isRight) a = _node(path[i], a);
            b = isRight ? _node(path[i], b) : _node(b, path[i]);
            (fn, sn) = _climb(fn, sn, isRight);
        }
        return sn == 0 && a == oldRoot && b == newRoot;
    }

    function _isRight(uint256 fn, uint256 sn) private pure returns (bool) {
        return fn & 1 == 1 || fn == sn;
    }

    /// @dev One level up, and past the levels on which the last node has no sibling and is carried up unhashed.
    function _climb(uint256 fn, uint256 sn, bool isRight) private pure returns (uint256, uint256) {
        if (isRight) while (fn != 0 && fn & 1 == 0) (fn, sn) = (fn >> 1, sn >> 1);
        return (fn >> 1, sn >> 1);
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"01", left, right));
    }
}
