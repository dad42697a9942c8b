/** What each figure of a table means, in a sentence; `docs/measuring.md` says more. By the beginning of the metric's key. */
const DEFINITIONS: Readonly<Record<string, string>> = {
  latency_: "by pair of a message and a receiver: delivery minus publication",
  first_: "by pair: delivery minus the first delivery of that message at any receiver",
  to_all_: "by message that reached all nodes: the last delivery minus publication",
  delivery_:
    "pairs delivered within the deadline, over all that are not undecided; bounds: were all of those lost, and none",
  deliveries_per_second: "pairs delivered, from the first counted publication to the last delivery",
  duplicates: "copies after the first at a node, over deliveries",
  rpc_bytes: "bytes of all gossip RPCs sent, over the bytes of message data delivered",
  socket_bytes: "bytes written to TCP sockets, with noise, yamux, identify and pings, over the same",
  control_: "control messages sent, and their bytes in the RPCs",
  last_hop_: "links from the publisher to the node that was last",
  mesh_: "sizes of each node's mesh of the topic, sampled each second",
  score_: "gossipsub's score of each connected peer by each node, at the last sample",
  validation_: "time in the handler: snappy, SSZ, all rules, pool; not in the queue before it",
  loop_: "how late a timer was, of the worst process; nodes of a process share it",
  cpu_per_node: "CPU time over wall time of the worst process, over its nodes",
  cpu_per_delivery: "CPU of all node processes, over deliveries",
  rss_: "resident memory of the worst process at the end, over its nodes",
  publish_late_: "actual minus planned time of publications: how late the machine was",
  links_late_: "how much later than their model chunks left a link",
  clock_error: "how far the processes' clocks may be apart",
};

/** Null where none is written. */
export function definitionOf(key: string): string | null {
  const prefix = Object.keys(DEFINITIONS).find((one) => key.startsWith(one));
  return prefix === undefined ? null : (DEFINITIONS[prefix] ?? null);
}
