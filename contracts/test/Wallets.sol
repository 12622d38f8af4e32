// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IFactory, IToken} from "./Fixture.sol";

/// @dev A registrar that is a contract: it says yes to the digests that it was told of, and to nothing else.
contract Wallet {
    mapping(bytes32 digest => bool) public approved;

    function approve(bytes32 digest) external {
        approved[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return approved[digest] ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @dev A registrar that answers with as much as the caller pays for.
contract BombWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            return(0, 1000000)
        }
    }
}

/// @dev A registrar that reverts with as much as the caller pays for.
contract RevertingBombWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            revert(0, 1000000)
        }
    }
}

/// @dev A registrar that never ends: it takes all the gas that it is given.
contract EndlessWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return 0;
    }
}

/// @dev A registrar that uses the question to send the same call again, and then says yes.
contract ReentrantWallet {
    address public target;
    bytes public again;

    function arm(address target_, bytes calldata again_) external {
        (target, again) = (target_, again_);
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        (bool success,) = target.call{gas: 500_000}(again); // what fails in a static call takes all it is given
        return success ? bytes4(0xffffffff) : this.isValidSignature.selector;
    }
}
