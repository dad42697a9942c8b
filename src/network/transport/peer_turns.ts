/** What many peers have brought, taken one by one of each in turn. */
export class PeerTurns<T> {
  /** By peer id; whose turn is next comes first. None is empty. */
  readonly #byPeer = new Map<string, { readonly items: T[]; taken: number }>();

  countOf(peerId: string): number {
    const own = this.#byPeer.get(peerId);
    return own === undefined ? 0 : own.items.length - own.taken;
  }

  add(peerId: string, item: T): void {
    const own = this.#byPeer.get(peerId);
    if (own === undefined) this.#byPeer.set(peerId, { items: [item], taken: 0 });
    else own.items.push(item);
  }

  /** Undefined where there is none. */
  take(): T | undefined {
    const next = this.#byPeer.entries().next();
    if (next.done) return undefined;
    const [peerId, own] = next.value;
    const item = own.items[own.taken++];
    this.#byPeer.delete(peerId);
    if (own.taken < own.items.length) this.#byPeer.set(peerId, own);
    return item;
  }
}
