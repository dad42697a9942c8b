// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The execution layer's end of the general message bus to the consensus layer
/// @notice Anyone appends messages; the consensus layer stores the root of each block, and whoever wants a message
/// acted on carries it there with a Merkle proof. The contract judges nothing: what a message means, and whether its
/// sender may say it, is decided by the consensus layer against its own state.
/// @dev The deposit contract's incremental Merkle tree (sha256, depth 32), which keeps one node a level, so that an
/// append costs at most 32 hashes and one storage write in the tree. It has no owner, holds no ether and cannot change.
/// Measured on anvil: deployment 1.27 M gas; the first message 71 k, then 37 k to 77 k and 41 k on average (300 messages
/// of 48 bytes), 0.42 M for 10,000 bytes.
contract MessageBus {
    /// @notice A message was appended.
    /// @param messageType what kind of message it is, by the consensus layer's numbering
    /// @param sender the caller, whom the leaf names: nobody can speak for another
    /// @param index the message's position in the tree, from 0
    /// @param payload the message itself, as given
    event MessageSent(uint256 indexed messageType, address indexed sender, uint64 indexed index, bytes payload);

    /// @notice The tree holds as many messages as it can.
    error MessageTreeFull();

    uint256 private constant TREE_DEPTH = 32;

    /// @dev One leaf short of the tree's capacity, as in the deposit contract: with the last one the tree would be full,
    /// and no level would be left to keep its node in.
    uint64 private constant MAX_MESSAGE_COUNT = uint64(2 ** TREE_DEPTH - 1);

    /// @dev branch[h]: root of the last complete subtree of height h that is a left child.
    bytes32[TREE_DEPTH] private branch;

    /// @dev zeroHashes[h]: root of an empty subtree of height h; zeroHashes[0] is an empty leaf, 32 zero bytes.
    bytes32[TREE_DEPTH] private zeroHashes;

    uint64 private messageCount;

    constructor() {
        for (uint256 height = 0; height < TREE_DEPTH - 1; height++) {
            zeroHashes[height + 1] = sha256(abi.encodePacked(zeroHashes[height], zeroHashes[height]));
        }
    }

    /// @notice Appends a message from the caller.
    /// @dev The leaf is sha256(messageType, 32 bytes big-endian ‖ sender, 20 bytes ‖ payload). The name is the proposal's.
    /// @param messageType any number; the consensus layer leaves types alone that it does not know
    /// @param messagePayload any bytes, also none
    function sentMessage(uint256 messageType, bytes calldata messagePayload) external {
        uint64 index = messageCount;
        if (index == MAX_MESSAGE_COUNT) revert MessageTreeFull();
        uint64 size = index + 1;
        messageCount = size;
        emit MessageSent(messageType, msg.sender, index, messagePayload);

        bytes32 node = sha256(abi.encodePacked(messageType, msg.sender, messagePayload));
        // The lowest set bit of the new count is the height at which a left subtree becomes complete. There is one
        // below TREE_DEPTH since 0 < size < 2**TREE_DEPTH, so the loop always ends by returning.
        for (uint256 height = 0; height < TREE_DEPTH; height++) {
            if (size & 1 == 1) {
                branch[height] = node;
                return;
            }
            node = sha256(abi.encodePacked(branch[height], node));
            size >>= 1;
        }
        assert(false);
    }

    /// @notice Root over all messages so far: sha256(tree root ‖ count, 8 bytes little-endian ‖ 24 zero bytes).
    /// @dev Evaluated at the end of a block, this is the block's message root.
    function getMessageRoot() external view returns (bytes32) {
        bytes32 node;
        uint64 size = messageCount;
        for (uint256 height = 0; height < TREE_DEPTH; height++) {
            node = size & 1 == 1
                ? sha256(abi.encodePacked(branch[height], node))
                : sha256(abi.encodePacked(node, zeroHashes[height]));
            size >>= 1;
        }
        return sha256(abi.encodePacked(node, toLittleEndian64(messageCount), bytes24(0)));
    }

    /// @notice How many messages have been sent; the next one gets this number as its index.
    function getMessageCount() external view returns (uint64) {
        return messageCount;
    }

    /// @dev SSZ writes integers with the lowest byte first.
    function toLittleEndian64(uint64 value) private pure returns (bytes8) {
        value = ((value & 0x00ff00ff00ff00ff) << 8) | ((value >> 8) & 0x00ff00ff00ff00ff);
        value = ((value & 0x0000ffff0000ffff) << 16) | ((value >> 16) & 0x0000ffff0000ffff);
        return bytes8((value << 32) | (value >> 32));
    }
}
