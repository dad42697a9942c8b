/**
 * A peer whose every byte is ours: real TCP, noise and yamux, but identify and gossipsub are spoken by hand, and the
 * connection under the multiplexer can be written to. Attacks use it, and so do the honest witnesses.
 */
import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Connection, Libp2p, MessageStream, Stream, StreamMuxer } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { untilAborted } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { createByteReader } from "../../network/reqresp/byte_reader.ts";
import { bytesField, frameOf, rpcFrame, type WireRpc } from "./rpc.ts";

export const MESHSUB_11 = "/meshsub/1.1.0";
export const MESHSUB_12 = "/meshsub/1.2.0";
const IDENTIFY = "/ipfs/id/1.0.0";
const AGENT = "msgbus-fuzz";

const DIAL_TIMEOUT_MS = 5_000;
/** From our dial to the target's stream to us: it identifies us first. */
const STREAM_TIMEOUT_MS = 5_000;
/** A flooder that waits longer would look like one that the target puts up with. */
const DRAIN_PATIENCE_MS = 1_000;
/** A frame that the target sends is not longer: Ethereum's limit on a message, and its envelope. */
const MAX_FRAME_BYTES = 12 * 1024 * 1024;

export interface RawPeerOptions {
  /** 32 bytes: the same seed makes the same peer id. */
  readonly keySeed: Uint8Array;
  /** Told in identify; the first is the one whose stream we open. */
  readonly gossipProtocols?: readonly string[];
  /** Rewrites our identify message, a protobuf of which this is the honest one. */
  readonly identify?: (honest: IdentifyFields) => Uint8Array;
  readonly onRpc?: (rpc: RPC, receivedMs: number) => void;
  /**
   * Without a multiplexer of its own: the encrypted connection is all the attack's, and whatever comes on it is swallowed.
   * Such a peer opens no streams, so it is not in gossip.
   */
  readonly bare?: boolean;
}

export interface IdentifyFields {
  readonly publicKey: Uint8Array;
  readonly protocols: readonly string[];
}

export function encodeIdentify({ publicKey, protocols }: IdentifyFields): Uint8Array {
  return Buffer.concat([
    bytesField(1, publicKey),
    ...protocols.map((protocol) => bytesField(3, protocol)),
    bytesField(5, "ipfs/0.1.0"),
    bytesField(6, AGENT),
  ]);
}

export class RawPeer {
  readonly libp2p: Libp2p;
  readonly #clock: Clock;
  /** Null where the peer is bare. */
  readonly #gossipProtocol: string | null;
  #connection: Connection | null = null;
  #stream: Stream | null = null;
  #transport: MessageStream | null = null;
  #closedMs: number | null = null;
  #isLeaving = false;
  /** Streams that the target opened to us for gossip. */
  #inbound = 0;
  #onInbound: () => void = () => {};

  private constructor(libp2p: Libp2p, clock: Clock, gossipProtocol: string | null) {
    this.libp2p = libp2p;
    this.#clock = clock;
    this.#gossipProtocol = gossipProtocol;
  }

  static async create(options: RawPeerOptions, clock: Clock): Promise<RawPeer> {
    const { gossipProtocols = [MESHSUB_11], identify = encodeIdentify, onRpc, bare = false } = options;
    const privateKey = await generateKeyPairFromSeed("Ed25519", options.keySeed);
    const multiplexer = yamux()();
    let onTransport: (transport: MessageStream) => void = () => {};
    const libp2p = await createLibp2p({
      privateKey,
      addresses: { listen: [] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [
        () => ({
          protocol: multiplexer.protocol,
          createStreamMuxer(transport: MessageStream) {
            onTransport(transport);
            return bare ? swallow(transport, multiplexer.protocol) : multiplexer.createStreamMuxer(transport);
          },
        }),
      ],
      connectionMonitor: { enabled: false },
    });
    const peer = new RawPeer(libp2p, clock, bare ? null : (gossipProtocols[0] ?? MESHSUB_11));
    onTransport = (transport) => {
      peer.#transport = transport;
    };
    const answer = frameOf(
      identify({ publicKey: publicKeyToProtobuf(privateKey.publicKey), protocols: [...gossipProtocols, IDENTIFY] }),
    );
    await libp2p.handle(IDENTIFY, (stream) => {
      stream.send(answer);
      stream.close().catch(() => {});
    });
    for (const protocol of gossipProtocols) {
      await libp2p.handle(protocol, (stream) => {
        peer.#inbound++;
        peer.#onInbound();
        readRpcs(stream, (rpc) => onRpc?.(rpc, clock.monotonicMs())).catch(() => {});
      });
    }
    return peer;
  }

  get peerId(): string {
    return this.libp2p.peerId.toString();
  }

  get isConnected(): boolean {
    return this.#connection?.status === "open" && this.#closedMs === null;
  }

  /** When the target (or the network) ended our connection, on the monotonic clock. */
  get closedMs(): number | null {
    return this.#closedMs;
  }

  get connection(): Connection {
    if (this.#connection === null) throw new CodedError("NOT_CONNECTED", "The peer has no connection");
    return this.#connection;
  }

  /** Under the multiplexer, over the encryption: yamux frames may be written between its own. */
  get transport(): MessageStream {
    if (this.#transport === null) throw new CodedError("NOT_CONNECTED", "The peer has no connection");
    return this.#transport;
  }

  /** Dials, and no more. Throws a `CodedError` `DIAL_FAILED`. */
  async dial(address: string): Promise<void> {
    try {
      const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
      this.#connection = await this.libp2p.dial(multiaddr(address), { signal });
    } catch (error) {
      throw new CodedError("DIAL_FAILED", `Cannot connect to ${address}: ${errorMessage(error)}`, { address }, error);
    }
    this.#closedMs = null;
    this.#connection.addEventListener("close", () => {
      this.#closedMs = this.#clock.monotonicMs();
    });
  }

  /**
   * Connected as a gossip peer, a stream each way (a bare one: just connected). Throws a `CodedError`: `DIAL_FAILED`, or
   * `NO_GOSSIP_STREAM`, also when `signal` aborts.
   */
  async connect(address: string, signal: AbortSignal = new AbortController().signal): Promise<void> {
    await this.dial(address);
    if (this.#gossipProtocol === null) return;
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(STREAM_TIMEOUT_MS)]);
    await this.#inboundStream(address, inTime);
    try {
      this.#stream = await this.connection.newStream(this.#gossipProtocol, { signal: inTime });
    } catch (error) {
      throw new CodedError("NO_GOSSIP_STREAM", `${address} takes no ${this.#gossipProtocol} stream`, {}, error);
    }
  }

  async #inboundStream(address: string, inTime: AbortSignal): Promise<void> {
    if (this.#inbound > 0) return;
    const done = new AbortController();
    const opened = new Promise<"opened">((resolve) => {
      this.#onInbound = () => resolve("opened");
    });
    const closed = new Promise<"closed">((resolve) => {
      this.connection.addEventListener("close", () => resolve("closed"), { signal: done.signal });
      if (this.#closedMs !== null) resolve("closed");
    });
    const outcome = await Promise.race([opened, closed, untilAborted(inTime)]);
    done.abort();
    if (outcome !== "opened") {
      const problem = outcome === "closed" ? "hung up on us" : "opened no gossip stream to us: is it a gossip node?";
      throw new CodedError("NO_GOSSIP_STREAM", `${address} ${problem}`, { address });
    }
  }

  /**
   * Writes on the gossip stream, or on another channel. False when the write buffer is full: wait for `drained`. Bytes
   * for what is closed are dropped.
   */
  sendBytes(bytes: Uint8Array, channel: MessageStream | null = this.#stream): boolean {
    if (channel === null || !this.canSendOn(channel)) return true;
    try {
      return channel.send(bytes);
    } catch {
      // Closed between the look and the write.
      return true;
    }
  }

  send(rpc: WireRpc): boolean {
    return this.sendBytes(rpcFrame(rpc));
  }

  /** Resolves when more may be sent, the channel is gone, or `signal` aborts; in any case after `DRAIN_PATIENCE_MS`. */
  async drained(signal: AbortSignal, channel: MessageStream | null = this.#stream): Promise<void> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(DRAIN_PATIENCE_MS)]);
    await channel?.onDrain({ signal: patience }).catch(() => {});
  }

  /** Whether the connection, and the gossip stream or another channel on it, take bytes. */
  canSendOn(channel: MessageStream | null = this.#stream): boolean {
    if (channel === null || channel.status !== "open") return false;
    return this.isConnected && (!("writeStatus" in channel) || channel.writeStatus === "writable");
  }

  /** Resolves when the connection is closed, or `signal` aborts. */
  async closed(signal: AbortSignal): Promise<void> {
    if (!this.isConnected) return;
    await new Promise<void>((resolve) => {
      this.connection.addEventListener("close", () => resolve(), { signal });
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
  }

  /** Whether it is us who hung up. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Hangs up at once. */
  hangUp(): void {
    this.#isLeaving = true;
    this.#connection?.abort(new Error("the attack is over"));
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    this.hangUp();
    await this.libp2p.stop();
  }
}

async function readRpcs(stream: Stream, onRpc: (rpc: RPC) => void): Promise<void> {
  const reader = createByteReader(stream);
  for (;;) {
    const length = await reader.readVarint(5);
    if (length === null || length > MAX_FRAME_BYTES) return;
    onRpc(RPC.decode(await reader.read(length)));
  }
}

/** The least that libp2p takes for a multiplexer: it has no streams, and does not read what comes. */
function swallow(transport: MessageStream, protocol: string): StreamMuxer {
  transport.addEventListener("message", () => {});
  const muxer = {
    protocol,
    streams: [],
    status: "open",
    createStream: async () => {
      throw new CodedError("BARE_PEER", "A bare peer opens no streams");
    },
    abort() {},
    close: async () => {},
  };
  return Object.assign(new EventTarget(), muxer) as unknown as StreamMuxer;
}
