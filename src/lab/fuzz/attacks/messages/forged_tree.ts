import { MessageTree } from "../../../../execution/message_tree.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../../../spec/constants.ts";
import { getMessageLeaf } from "../../../../spec/message_leaf.ts";
import { TriggeredExit } from "../../../../spec/types.ts";
import type { Attack } from "../../attack.ts";
import type { Fixture } from "../../fixture.ts";
import { messageFrame } from "../../frames.ts";

const IDENTITIES = 10;
/** More than the parked exits that a node keeps. */
const LEAVES = 8_192;

/** Makes the exits of a tree that no contract has, all proven against its one root; the next with each call, over and over. */
function forgedExits({ valid, bystander }: Fixture): () => Uint8Array {
  const subjects = valid.map((operation) => {
    const { messageBusSignal, data } = TriggeredExit.deserialize(operation);
    return { sender: messageBusSignal.messageSender, pubkey: data.pubkey };
  });
  const subjectAt = (index: number) => subjects[index % subjects.length] ?? bystander;
  const tree = new MessageTree();
  for (let index = 0; index < LEAVES; index++) {
    const { sender, pubkey } = subjectAt(index);
    tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, pubkey));
  }
  let next = 0;
  return () => {
    const index = next++ % LEAVES;
    const { sender, pubkey } = subjectAt(index);
    return TriggeredExit.serialize({
      messageBusSignal: {
        proof: tree.proofFor(index, LEAVES),
        messageSender: sender,
        messageIndex: BigInt(index),
      },
      data: { pubkey },
    });
  };
}

export const forgedTree: Attack = {
  name: "forged-tree",
  group: "messages",
  what: "Ten identities flood the exits of one forged tree, of validators that honest exits are about, too: one root, as a block has.",
  source: "design.md §5: rule 8 cannot tell a forged root from that of a block on its way",
  sound:
    "Bounds what it parks, and what it judges a second in all; forwards none of them, and forwards the validators' true exits.",
  hangsUp: false,
  identities: ([target = ""]) => new Array(IDENTITIES).fill(target),
  async run({ fixture, peers, rate, flood, note }) {
    const nextExit = forgedExits(fixture);
    const next = () => messageFrame(fixture.topic, compressBlock(nextExit()));
    await Promise.all(peers.map((peer) => flood(peer, next, { rate: rate / IDENTITIES })));
    note("stillConnected", peers.filter((peer) => peer.isConnected).length);
  },
};
