// An honest gossip peer of another implementation: go-libp2p-pubsub, configured as Ethereum's clients do. It connects,
// joins one topic, prints what happens to it as NDJSON, and publishes each line of hex that comes on stdin.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"sync"
	"time"

	"github.com/golang/snappy"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const maxPayload = 10 << 20

var output sync.Mutex

func tell(event string, fields map[string]any) {
	output.Lock()
	defer output.Unlock()
	fields["event"] = event
	_ = json.NewEncoder(os.Stdout).Encode(fields)
}

func check(err error) {
	if err != nil {
		tell("error", map[string]any{"message": err.Error()})
		os.Exit(1)
	}
}

// messageID is the consensus specification's.
func messageID(m *pb.Message) string {
	domain, data := []byte{0, 0, 0, 0}, m.GetData()
	if size, err := snappy.DecodedLen(data); err == nil && size <= maxPayload {
		if plain, err := snappy.Decode(nil, data); err == nil {
			domain, data = []byte{1, 0, 0, 0}, plain
		}
	}
	h := sha256.New()
	h.Write(domain)
	_ = binary.Write(h, binary.LittleEndian, uint64(len(m.GetTopic())))
	h.Write([]byte(m.GetTopic()))
	h.Write(data)
	return string(h.Sum(nil)[:20])
}

// tracer tells of what the router does.
type tracer struct{}

func (tracer) OnNewOutboundStream(p peer.ID, proto protocol.ID) {
	tell("peer", map[string]any{"peer": p.String(), "protocol": string(proto)})
}
func (tracer) OnClosedOutboundStream(p peer.ID) {
	tell("peer_gone", map[string]any{"peer": p.String()})
}
func (tracer) Graft(p peer.ID, _ string) { tell("graft", map[string]any{"peer": p.String()}) }
func (tracer) Prune(p peer.ID, _ string) { tell("prune", map[string]any{"peer": p.String()}) }
func (tracer) RejectMessage(m *pubsub.Message, reason string) {
	tell("reject", map[string]any{"peer": m.ReceivedFrom.String(), "reason": reason})
}
func (tracer) Join(string)                                          {}
func (tracer) Leave(string)                                         {}
func (tracer) ValidateMessage(*pubsub.Message)                      {}
func (tracer) DeliverMessage(*pubsub.Message)                       {}
func (tracer) DuplicateMessage(*pubsub.Message)                     {}
func (tracer) ThrottlePeer(peer.ID)                                 {}
func (tracer) RecvRPC(*pubsub.RPC)                                  {}
func (tracer) SendRPC(*pubsub.RPC, peer.ID)                         {}
func (tracer) SendRPCCompleted(*pubsub.RPC, peer.ID, time.Duration) {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)                         {}
func (tracer) UndeliverableMessage(*pubsub.Message)                 {}

func main() {
	connect := flag.String("connect", "", "multiaddr of the node, with its peer id")
	topicName := flag.String("topic", "", "full topic")
	flag.Parse()
	ctx := context.Background()

	host, err := libp2p.New(libp2p.NoListenAddrs)
	check(err)
	host.Network().Notify(&network.NotifyBundle{
		DisconnectedF: func(_ network.Network, c network.Conn) {
			tell("disconnected", map[string]any{"peer": c.RemotePeer().String()})
		},
	})

	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi, params.Dlazy = 8, 6, 12, 6
	params.HeartbeatInterval = 700 * time.Millisecond
	params.HistoryLength, params.HistoryGossip = 6, 3
	router, err := pubsub.NewGossipSub(ctx, host,
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(maxPayload),
		pubsub.WithGossipSubParams(params),
		pubsub.WithRawTracer(tracer{}),
		pubsub.WithPeerScore(
			&pubsub.PeerScoreParams{
				AppSpecificScore:       func(peer.ID) float64 { return 0 },
				BehaviourPenaltyWeight: -10,
				BehaviourPenaltyDecay:  0.9,
				DecayInterval:          time.Second,
				DecayToZero:            0.01,
				Topics: map[string]*pubsub.TopicScoreParams{*topicName: {
					TopicWeight:                    1,
					TimeInMeshQuantum:              time.Second,
					InvalidMessageDeliveriesWeight: -10,
					InvalidMessageDeliveriesDecay:  0.9,
				}},
			},
			&pubsub.PeerScoreThresholds{GossipThreshold: -100, PublishThreshold: -200, GraylistThreshold: -300},
		),
		pubsub.WithPeerScoreInspect(func(scores map[peer.ID]float64) {
			for p, score := range scores {
				tell("score", map[string]any{"peer": p.String(), "score": score})
			}
		}, time.Second),
	)
	check(err)
	topic, err := router.Join(*topicName)
	check(err)
	subscription, err := topic.Subscribe()
	check(err)

	target, err := peer.AddrInfoFromString(*connect)
	check(err)
	check(host.Connect(ctx, *target))
	tell("ready", map[string]any{"peer": host.ID().String()})

	go func() {
		for {
			m, err := subscription.Next(ctx)
			check(err)
			if m.ReceivedFrom != host.ID() {
				tell("message", map[string]any{"data": hex.EncodeToString(m.GetData())})
			}
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4*maxPayload)
	for lines.Scan() {
		data, err := hex.DecodeString(lines.Text())
		check(err)
		check(topic.Publish(ctx, data))
	}
	check(host.Close())
}
