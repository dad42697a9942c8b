// Reads a trace line by line with go-libp2p-pubsub's own types, refusing fields that they do not have, and counts the kinds.
// Beside it reads the same trace in gzipped protobuf, as go-libp2p-pubsub-tracer's tools do, and compares event by event.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

const maxLineBytes = 16 << 20

func check(line []byte, packed protodelim.Reader, kinds map[string]int) error {
	var event, twin pb.TraceEvent
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
	if err := protodelim.UnmarshalFrom(packed, &twin); err != nil {
		return fmt.Errorf("protobuf: %w", err)
	}
	if !proto.Equal(&event, &twin) {
		return fmt.Errorf("in protobuf it is %v", &twin)
	}
	kinds[event.GetType().String()]++
	return nil
}

func compare(jsonPath, protobufPath string) (map[string]int, error) {
	lines, err := os.Open(jsonPath)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	zipped, err := os.Open(protobufPath)
	if err != nil {
		return nil, err
	}
	defer zipped.Close()
	unzipped, err := gzip.NewReader(zipped)
	if err != nil {
		return nil, err
	}
	packed := bufio.NewReader(unzipped)
	kinds := map[string]int{}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, maxLineBytes)
	for number := 1; scanner.Scan(); number++ {
		if err := check(scanner.Bytes(), packed, kinds); err != nil {
			return nil, fmt.Errorf("line %d: %w\n%s", number, err, scanner.Text())
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if _, err := packed.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the protobuf goes on behind the last line: %v", err)
	}
	return kinds, nil
}

func main() {
	kinds, err := compare(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(kinds)
}
