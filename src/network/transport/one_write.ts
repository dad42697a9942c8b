/**
 * TCP in one write for each `send`. The library's connection hands the socket each piece of a list apart: a noise message
 * is three or more, so one system call becomes several, or a gathering write of crumbs. A copy of 64 KiB costs 5 µs.
 */
import type { MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import { type Bytes, contiguous } from "./bytes.ts";
import { sendDirectly } from "./direct_send.ts";

type TransportFactory<Components> = (components: Components) => Transport;

export function oneWrite<Components>(factory: TransportFactory<Components>): TransportFactory<Components> {
  return (components) => {
    const transport = factory(components);
    const dial = transport.dial.bind(transport);
    const createListener = transport.createListener.bind(transport);
    transport.dial = (address, options) => dial(address, { ...options, upgrader: joining(options.upgrader) });
    transport.createListener = (options) => createListener({ ...options, upgrader: joining(options.upgrader) });
    return transport;
  };
}

/** Joins the pieces of what each connection sends, from its first byte on. */
function joining(upgrader: Upgrader): Upgrader {
  return {
    upgradeOutbound: (connection: MultiaddrConnection, options: Parameters<Upgrader["upgradeOutbound"]>[1]) =>
      upgrader.upgradeOutbound(join(connection), options),
    upgradeInbound: (connection: MultiaddrConnection, options: Parameters<Upgrader["upgradeInbound"]>[1]) =>
      upgrader.upgradeInbound(join(connection), options),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
  };
}

/** What the transport's connections have beside their interface. */
type SocketConnection = MultiaddrConnection & {
  readonly socket: { write(bytes: Uint8Array): boolean };
  sendData(data: Bytes): { sentBytes: number; canSendMore: boolean };
};

function join(connection: MultiaddrConnection): MultiaddrConnection {
  const inner = connection as SocketConnection;
  if (typeof inner.socket?.write !== "function" || typeof inner.sendData !== "function") {
    throw new CodedError("LIBRARY_CHANGED", "TCP connections no longer have socket and sendData", {});
  }
  inner.sendData = (data) => ({ sentBytes: data.byteLength, canSendMore: inner.socket.write(contiguous(data)) });
  return sendDirectly(connection);
}
