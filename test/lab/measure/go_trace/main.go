// Reads a trace line by line with go-libp2p-pubsub's own types, refusing fields that they do not have, and counts the kinds.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

const maxLineBytes = 16 << 20

func check(line []byte, kinds map[string]int) error {
	var event pb.TraceEvent
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&event); err != nil {
		return err
	}
	if _, err := peer.IDFromBytes(event.GetPeerID()); err != nil {
		return fmt.Errorf("peerID: %w", err)
	}
	if event.Type == nil || event.Timestamp == nil {
		return fmt.Errorf("no type or no timestamp")
	}
	// What the kind says must be the one part that is there.
	bodies := map[pb.TraceEvent_Type]bool{
		pb.TraceEvent_PUBLISH_MESSAGE:           event.PublishMessage != nil,
		pb.TraceEvent_REJECT_MESSAGE:            event.RejectMessage != nil,
		pb.TraceEvent_DUPLICATE_MESSAGE:         event.DuplicateMessage != nil,
		pb.TraceEvent_DELIVER_MESSAGE:           event.DeliverMessage != nil,
		pb.TraceEvent_ON_NEW_OUTBOUND_STREAM:    event.OnNewOutboundStream != nil,
		pb.TraceEvent_ON_CLOSED_OUTBOUND_STREAM: event.OnClosedOutboundStream != nil,
		pb.TraceEvent_RECV_RPC:                  event.RecvRPC != nil,
		pb.TraceEvent_SEND_RPC:                  event.SendRPC != nil,
		pb.TraceEvent_DROP_RPC:                  event.DropRPC != nil,
		pb.TraceEvent_JOIN:                      event.Join != nil,
		pb.TraceEvent_LEAVE:                     event.Leave != nil,
		pb.TraceEvent_GRAFT:                     event.Graft != nil,
		pb.TraceEvent_PRUNE:                     event.Prune != nil,
	}
	for kind, present := range bodies {
		if present != (kind == event.GetType()) {
			return fmt.Errorf("type %s, body of %s: %t", event.GetType(), kind, present)
		}
	}
	if _, err := proto.Marshal(&event); err != nil {
		return err
	}
	kinds[event.GetType().String()]++
	return nil
}

func main() {
	kinds := map[string]int{}
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, maxLineBytes)
	for number := 1; scanner.Scan(); number++ {
		if err := check(scanner.Bytes(), kinds); err != nil {
			fmt.Fprintf(os.Stderr, "line %d: %v\n%s\n", number, err, scanner.Text())
			os.Exit(1)
		}
	}
	if err := scanner.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(kinds)
}
