/** What carries gossip, as the configuration composes it. */
import { noise } from "@chainsafe/libp2p-noise";
import type { StreamMuxerFactory } from "@libp2p/interface";
import { type TCPOptions, tcp } from "@libp2p/tcp";
import { type YamuxMuxerInit, yamux } from "@libp2p/yamux";
import type { Cure } from "../cures/cure.ts";
import { promptMessages } from "./inbound_messages.ts";
import { leanNoise } from "./lean_noise.ts";
import { leanYamux } from "./lean_yamux.ts";
import { noiseCrypto } from "./noise_crypto.ts";
import { oneWrite } from "./one_write.ts";
import { gatheredRpcs, sharedEncoding } from "./outbound_rpcs.ts";
import { plainRpcs } from "./plain_rpc.ts";

export interface TransportStack {
  transport(options: TCPOptions): ReturnType<typeof tcp>;
  encrypter(): ReturnType<typeof noise>;
  muxer(options: YamuxMuxerInit): () => StreamMuxerFactory;
  readonly gossip: readonly Cure[];
}

/** The library's parts as they come. */
export const STOCK_STACK: TransportStack = { transport: tcp, encrypter: noise, muxer: yamux, gossip: [] };

/** What every node runs with; `bench/relay` tells what each part saves. */
export const FAST_STACK: TransportStack = {
  transport: (options) => oneWrite(tcp(options)),
  encrypter: () => leanNoise(noise({ crypto: noiseCrypto })),
  muxer: (options) => leanYamux(yamux(options)),
  gossip: [plainRpcs, promptMessages, gatheredRpcs, sharedEncoding],
};
