//! An honest gossip peer of another implementation: rust-libp2p, configured as Lighthouse is by default. It dials an address
//! with a peer id, or listens on one without, joins one topic, prints what happens to it as NDJSON, and does what comes on
//! stdin: a line of hex is published, `leave`, `join` and `redial` are what they say.

use std::{collections::HashSet, error::Error, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, SwarmBuilder, Transport,
    core::upgrade::{SelectUpgrade, Version},
    gossipsub::{self, IdentTopic, MessageAcceptance, MessageAuthenticity, MessageId, TopicSubscriptionFilter},
    identify, identity,
    multiaddr::Protocol,
    noise, ping,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    time::interval,
};

const MAX_PAYLOAD: usize = 10 << 20;
/// rust-libp2p has no events for its mesh: it is looked at this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
const SCORE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(NetworkBehaviour)]
struct Behaviour {
    gossipsub: gossipsub::Behaviour<gossipsub::IdentityTransform, AnyTopic>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// Lighthouse's filter has a list of topics, on which ours would be.
struct AnyTopic;
impl TopicSubscriptionFilter for AnyTopic {
    fn can_subscribe(&mut self, _: &gossipsub::TopicHash) -> bool {
        true
    }
}

fn tell(event: &str, peer: &PeerId, mut fields: Value) {
    fields["event"] = event.into();
    fields["peer"] = peer.to_string().into();
    println!("{fields}");
}

/// The consensus specification's.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let plain = match snap::raw::decompress_len(&message.data) {
        Ok(length) if length <= MAX_PAYLOAD => snap::raw::Decoder::new().decompress_vec(&message.data).ok(),
        _ => None,
    };
    let topic = message.topic.as_str();
    let hash = Sha256::new()
        .chain_update([u8::from(plain.is_some()), 0, 0, 0])
        .chain_update((topic.len() as u64).to_le_bytes())
        .chain_update(topic)
        .chain_update(plain.as_ref().unwrap_or(&message.data))
        .finalize();
    MessageId::from(&hash[..20])
}

fn gossip(
    topic: &IdentTopic,
) -> Result<gossipsub::Behaviour<gossipsub::IdentityTransform, AnyTopic>, Box<dyn Error + Send + Sync>> {
    let config = gossipsub::ConfigBuilder::default()
        .max_transmit_size(MAX_PAYLOAD)
        .heartbeat_interval(Duration::from_secs(1))
        .mesh_n(5)
        .mesh_n_low(3)
        .mesh_outbound_min(2)
        .mesh_n_high(10)
        .gossip_lazy(3)
        .history_length(12)
        .history_gossip(3)
        .flood_publish(false)
        .max_publish_messages(500)
        .validate_messages()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .message_id_fn(message_id)
        .idontwant_message_size_threshold(1000)
        .build()?;
    let mut behaviour =
        gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, AnyTopic)?;
    // Nothing earns: each punishment shows.
    let topic_params = gossipsub::TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -10.0,
        ..Default::default()
    };
    let params = gossipsub::PeerScoreParams {
        topics: [(topic.hash(), topic_params)].into(),
        ..Default::default()
    };
    let thresholds = gossipsub::PeerScoreThresholds {
        gossip_threshold: -1.0,
        publish_threshold: -2.0,
        graylist_threshold: -3.0,
        ..Default::default()
    };
    behaviour.with_peer_score(params, thresholds)?;
    behaviour.subscribe(topic)?;
    Ok(behaviour)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, topic, muxer, other_topics] = arguments.as_slice() else {
        return Err("usage: rust_peer MULTIADDR TOPIC yamux|mplex|lazy OTHER_TOPICS".into());
    };
    let address: Multiaddr = address.parse()?;
    let topic = IdentTopic::new(topic);

    let mut swarm = SwarmBuilder::with_existing_identity(identity::Keypair::generate_secp256k1())
        .with_tokio()
        .with_other_transport(|key| {
            let version = if muxer == "lazy" { Version::V1Lazy } else { Version::V1 };
            let secured = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
                .upgrade(version)
                .authenticate(noise::Config::new(key)?);
            let mplex = libp2p_mplex::Config::new();
            Ok(match muxer.as_str() {
                "mplex" => secured.multiplex(mplex).boxed(),
                _ => secured
                    .multiplex(SelectUpgrade::new(yamux::Config::default(), mplex))
                    .boxed(),
            })
        })?
        .with_behaviour(|key| {
            Ok(Behaviour {
                gossipsub: gossip(&topic)?,
                identify: identify::Behaviour::new(identify::Config::new("eth2/1.0.0".into(), key.public())),
                ping: ping::Behaviour::default(),
            })
        })?
        .build();
    for i in 0..other_topics.parse()? {
        let other = topic
            .to_string()
            .replace("triggered_exit", &format!("beacon_attestation_{i}"));
        swarm.behaviour_mut().gossipsub.subscribe(&IdentTopic::new(other))?;
    }
    let own = *swarm.local_peer_id();
    let node = match address.iter().last() {
        Some(Protocol::P2p(node)) => {
            swarm.dial(address.clone())?;
            node
        }
        _ => {
            swarm.listen_on(address.clone())?;
            own
        }
    };

    let mut lines = BufReader::new(stdin()).lines();
    let mut looks = interval(LOOK_INTERVAL);
    let mut scores = interval(SCORE_INTERVAL);
    let mut mesh = HashSet::new();
    let mut is_redialing = false;
    loop {
        tokio::select! {
            line = lines.next_line() => match line?.as_deref() {
                None => return Ok(()),
                Some("leave") => _ = swarm.behaviour_mut().gossipsub.unsubscribe(&topic),
                Some("join") => {
                    swarm.behaviour_mut().gossipsub.subscribe(&topic)?;
                    tell("joined", &node, json!({}));
                }
                Some("redial") => {
                    is_redialing = true;
                    _ = swarm.disconnect_peer_id(node);
                }
                Some(data) => {
                    if let Err(error) = swarm.behaviour_mut().gossipsub.publish(topic.hash(), hex::decode(data)?) {
                        tell("error", &node, json!({"message": error.to_string()}));
                    }
                }
            },
            _ = looks.tick() => {
                let now: HashSet<PeerId> = swarm.behaviour().gossipsub.mesh_peers(&topic.hash()).copied().collect();
                for peer in now.difference(&mesh) { tell("graft", peer, json!({})); }
                for peer in mesh.difference(&now) { tell("prune", peer, json!({})); }
                mesh = now;
            }
            _ = scores.tick() => {
                let gossipsub = &swarm.behaviour().gossipsub;
                for (peer, protocol) in gossipsub.peer_protocol() {
                    let score = gossipsub.peer_score(peer);
                    tell("score", peer, json!({"score": score, "protocol": protocol.to_string()}));
                }
            }
            event = swarm.select_next_some() => match event {
                SwarmEvent::NewListenAddr { address, .. } => {
                    tell("listening", &own, json!({"message": format!("{address}/p2p/{own}")}));
                }
                SwarmEvent::ConnectionEstablished { .. } => tell("ready", &own, json!({})),
                SwarmEvent::ConnectionClosed { peer_id, cause, .. } => {
                    if std::mem::take(&mut is_redialing) {
                        mesh.clear();
                        swarm.dial(address.clone())?;
                    } else {
                        tell("disconnected", &peer_id, json!({"message": format!("{cause:?}")}));
                    }
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => {
                    tell("error", &node, json!({"message": error.to_string()}));
                }
                SwarmEvent::Behaviour(BehaviourEvent::Gossipsub(event)) => match event {
                    gossipsub::Event::Message { propagation_source, message_id, message } => {
                        let gossipsub = &mut swarm.behaviour_mut().gossipsub;
                        gossipsub.report_message_validation_result(&message_id, &propagation_source, MessageAcceptance::Accept);
                        tell("message", &propagation_source, json!({"data": hex::encode(message.data)}));
                    }
                    gossipsub::Event::Subscribed { peer_id, topic } => {
                        tell("subscribed", &peer_id, json!({"message": topic.to_string()}));
                    }
                    gossipsub::Event::Unsubscribed { peer_id, topic } => {
                        tell("unsubscribed", &peer_id, json!({"message": topic.to_string()}));
                    }
                    gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                        tell("slow", &peer_id, json!({"message": format!("{failed_messages:?}")}));
                    }
                    gossipsub::Event::GossipsubNotSupported { peer_id } => tell("unsupported", &peer_id, json!({})),
                },
                SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                    tell("identified", &peer_id, json!({"message": info.agent_version}));
                }
                SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Error { peer_id, error, .. })) => {
                    tell("error", &peer_id, json!({"message": error.to_string()}));
                }
                SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result, .. })) => match result {
                    Ok(took) => tell("ping", &peer, json!({"ms": took.as_millis() as u64})),
                    Err(error) => tell("error", &peer, json!({"message": error.to_string()})),
                },
                _ => {}
            },
        }
    }
}
