//! The two codecs that could be used alone, and mqtt-protocol-core's state machine around its own, fed with damaged
//! packets: a panic ends the process.

use bytes::BytesMut;
use mqtt_protocol_core::mqtt::{
    Connection, Version,
    common::Cursor,
    connection::{ConnectionOptions, PacketBuildResult, PacketBuilder},
    packet::{Qos, v5_0},
    result_code::MqttError,
    role,
};
use rumqttc_next::mqttbytes::v5::Packet;

use crate::{candidate::MAXIMUM_PACKET, wire};

const ROUNDS: u32 = 3_000_000;

pub fn run() {
    let seeds = seeds();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut accepted = [0_u32; 2];
    for _ in 0..ROUNDS {
        let bytes = random.damaged(&seeds);
        accepted[0] += u32::from(Packet::read(&mut BytesMut::from(&bytes[..]), Some(MAXIMUM_PACKET)).is_ok());
        accepted[1] += u32::from(protocol_core(&bytes));
    }
    for _ in 0..ROUNDS / 30 {
        let stream: Vec<_> = (0..6)
            .map(|_| {
                if random.below(2) == 0 {
                    random.damaged(&seeds)
                } else {
                    random.pick(&seeds)
                }
            })
            .collect();
        if let Err(error) = state_machine(random.below(2) == 0, &seeds[0], &stream.concat()) {
            println!("rig: {error:?}");
            return;
        }
    }
    println!(
        "{ROUNDS} damaged packets, no panic; well-formed to rumqttc-v5-next {}, to mqtt-protocol-core {}",
        accepted[0], accepted[1]
    );
}

/// The packets that a broker may send.
fn seeds() -> Vec<Vec<u8>> {
    let text = wire::string_property(wire::REASON_STRING, "why");
    let numbers = [
        wire::u16_property(wire::RECEIVE_MAXIMUM, 7),
        wire::u32_property(wire::MAXIMUM_PACKET_SIZE, 4096),
    ];
    vec![
        wire::connack(true, 0, &numbers.concat()),
        wire::connack(false, 0x87, &text),
        wire::publish("gw-1/commands", 9, b"payload"),
        wire::puback(7, 0x87, Some("no")),
        wire::suback(7, &[0, 1, 0x87]),
        wire::packet(0xB0, &[0, 7, 0, 0]),
        wire::disconnect(0x8E, "taken over"),
        wire::pingresp(),
    ]
}

fn protocol_core(bytes: &[u8]) -> bool {
    let PacketBuildResult::Complete(packet) =
        PacketBuilder::with_maximum_packet_size(MAXIMUM_PACKET).feed(&mut Cursor::new(bytes))
    else {
        return false;
    };
    match packet.packet_type() {
        2 => packet.parse_exact(v5_0::Connack::parse).is_ok(),
        3 => v5_0::Publish::parse(packet.flags(), packet.data_as_slice().into()).is_ok(),
        4 => packet.parse_exact(v5_0::Puback::parse).is_ok(),
        9 => packet.parse_exact(v5_0::Suback::parse).is_ok(),
        11 => packet.parse_exact(v5_0::Unsuback::parse).is_ok(),
        14 => packet.parse_exact(v5_0::Disconnect::parse).is_ok(),
        _ => false,
    }
}

/// A session with something in flight meets whatever comes.
fn state_machine(connected: bool, connack: &[u8], stream: &[u8]) -> Result<(), MqttError> {
    let mut core = Connection::<role::Client>::with_options(
        Version::V5_0,
        ConnectionOptions::new()
            .maximum_packet_size_recv(MAXIMUM_PACKET)
            .receive_maximum(5),
    );
    core.send(
        v5_0::Connect::builder()
            .client_id("gw-1")?
            .clean_start(false)
            .keep_alive(60)
            .build()?
            .into(),
    );
    if connected {
        core.recv(&mut Cursor::new(connack));
        let id = core.acquire_packet_id()?;
        core.send(
            v5_0::Publish::builder()
                .topic_name("t")?
                .qos(Qos::AtLeastOnce)
                .packet_id(id)
                .build()?
                .into(),
        );
    }
    let mut cursor = Cursor::new(stream);
    while (cursor.position() as usize) < stream.len() {
        let before = cursor.position();
        core.recv(&mut cursor);
        if cursor.position() == before {
            break;
        }
    }
    core.notify_closed();
    Ok(())
}

/// xorshift64, so that every run is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        seeds[self.below(seeds.len())].clone()
    }

    fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(seeds);
        for _ in 0..=self.below(4) {
            let position = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[position] = self.below(256) as u8,
                1 => bytes[position] ^= 1 << self.below(8),
                2 => bytes.insert(position, self.below(256) as u8),
                _ => bytes.truncate(position.max(1)),
            }
        }
        bytes
    }
}
