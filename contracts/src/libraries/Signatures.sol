// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Signatures: was this digest signed by this address, a key or a contract?
library Signatures {
    /// @dev ERC-1271's answer for a valid signature, and the selector of its function.
    bytes4 private constant VALID = 0x1626ba7e;

    /// @dev Half the order of secp256k1: a larger `s` is the other form of a signature that also exists (EIP-2).
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @dev A key's signature (65 bytes r, s, v; low s; v 27 or 28), or the answer of a contract (ERC-1271). The key
    /// comes first, because the address of a key can have code too (EIP-7702).
    function isSignedBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (_isSignedByKey(signer, digest, signature)) return true;
        if (signer.code.length == 0) return false;
        (bool success, bytes memory answer) = signer.staticcall(abi.encodeWithSelector(VALID, digest, signature));
        return success && answer.length >= 32 && abi.decode(answer, (bytes32)) == bytes32(VALID);
    }

    /// @dev ecrecover answers address zero for what is no signature: never a signer.
    function _isSignedByKey(address signer, bytes32 digest, bytes calldata signature) private pure returns (bool) {
        if (signature.length != 65) return false;
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > MAX_S || (v != 27 && v != 28)) return false;
        address recovered = ecrecover(digest, v, bytes32(signature[:32]), s);
        return recovered != address(0) && recovered == signer;
    }
}
